import { makeBackup } from '#engine/features/backup/index.ts'
import type { EngineContext } from '#engine/foundation/context.ts'
import type { JobContext } from '#engine/foundation/jobs/types.ts'
import { hashOf, outdated } from '#engine/foundation/plans/plan-shelf.ts'
import { noRateLimit } from '#engine/foundation/rate-limit.ts'
import { openToRead } from '#engine/foundation/repository/open.ts'
import type { Repository } from '#engine/foundation/repository/types.ts'
import { AppError, cancelledError, isCancelled, toAppError } from '#shared/errors.ts'
import type { PlanCheck } from '#shared/model/plan.ts'
import type { Site } from '#shared/model/site.ts'
import { type ConfigResult, restoreConfig } from './config/restore-config.ts'
import { undoFiles } from './files/undo-files.ts'
import { diskOf, hasUndo, type SiteFolders, undoPlaces } from './files/undo-journal.ts'
import { finishRestore, type RestoreResult } from './finish-restore.ts'
import { insideStep } from './inside-step.ts'
import { readLiveOid } from './live.ts'
import { type MediaResult, restoreMedia } from './media/restore-media.ts'
import { openPart } from './open-part.ts'
import { confirmationOf } from './plan/describe-plan.ts'
import { configParts } from './plan/make-plan.ts'
import { type PlannedPart, restorePlans, type StoredPlan } from './plan/stored-plan.ts'
import { stillSame } from './remote-files/survey-remote-media.ts'
import { forgetUnfinished, noteUnfinished } from './remote-files/unfinished.ts'
import { restoreDatabase } from './restore-database.ts'
import { siteFolders } from './site-folders.ts'
import { restoreFacts } from './way-back/restore-facts.ts'

/**
 * Asks the shell to confirm a plan and starts it as a job.
 * @returns the job's id; null: not confirmed, nothing done
 * @throws AppError `plan-unknown`, `plan-used`, `plan-expired`, `plan-not-runnable`
 */
export async function startRestore(context: EngineContext, planId: string): Promise<string | null> {
  const site = await context.sites.get(restorePlans.get(context, planId).plan.site)
  const stored = await restorePlans.confirmed(context, planId, confirmationOf)
  if (!stored) return null
  const { plan } = stored
  const handle = context.jobs.start({
    kind: 'restore',
    title: `Restoring ${plan.backup.name} onto ${plan.site}`,
    site: plan.site,
    holds: [`site:${plan.site}`],
    run: (job) => new RestoreRun(context, job, site, stored).run(),
  })
  return handle.id
}

class RestoreRun {
  readonly #context: EngineContext
  readonly #job: JobContext
  readonly #site: Site
  readonly #stored: StoredPlan
  #media: MediaResult | null = null
  #config: ConfigResult | null = null
  #wroteFiles = false
  #folders: SiteFolders | null = null
  #isSafe = false
  #findings: PlanCheck[] = []

  constructor(context: EngineContext, job: JobContext, site: Site, stored: StoredPlan) {
    this.#context = context
    this.#job = job
    this.#site = site
    this.#stored = stored
  }

  async run(): Promise<RestoreResult> {
    const started = Date.now()
    const { plan, database, media, config } = this.#stored
    const job = this.#job
    for (const { id, name, detail } of plan.steps) job.item(id, { name, detail, state: 'waiting' })
    job.item('check', { facts: restoreFacts(plan) })
    const source = await this.#context.sites.get(plan.sourceSite)
    const repository = await openToRead(this.#context, source, this.#stored.from, job, { limit: noRateLimit })
    let tables: string[] = []
    try {
      await job.step('check', 'Check again', () => this.#checkAgain(repository))
      const { safetyBackup } = plan
      if (safetyBackup !== null) await job.step('safety', 'Back up the site first', () => this.#backUpFirst(safetyBackup))
      if (media) await job.step('media', 'Write media files', () => this.#restoreMedia(repository, media))
      if (config) await job.step('config', 'Write configuration files', () => this.#restoreConfig(repository, config))
      if (database) tables = await job.step('database', 'Load the database', () => this.#loadDatabase(repository, database))
    } catch (error) {
      throw await this.#takeBack(error)
    }
    return finishRestore({
      context: this.#context,
      job,
      site: this.#site,
      plan,
      started,
      tables,
      media: this.#media,
      config: this.#config,
      findings: this.#findings,
      root: await this.#undoRoot(),
    })
  }

  /** What the plan stands on must still be so. @throws AppError `plan-outdated` */
  async #checkAgain(repository: Repository): Promise<void> {
    const { plan, settings, sourceSettings, database, media, config, liveOid } = this.#stored
    const { sites } = this.#context
    if (hashOf(await sites.get(plan.site)) !== settings) throw outdated('the site’s settings have changed')
    if (hashOf(await sites.get(plan.sourceSite)) !== sourceSettings)
      throw outdated(`the settings of ${plan.sourceSite} have changed`)
    for (const part of [database, media, config]) {
      if (!part) continue
      const stat = await repository.stat(part.file)
      if (stat?.version !== part.version) throw outdated(`the file ${part.file} has changed`)
    }
    if (!plan.parts.includes('database')) return
    const { signal } = this.#job
    const connection = await sites.connection(this.#site)
    if ((await readLiveOid(connection, plan.schema, signal)) !== liveOid) throw outdated('the live schema is another one')
    if (plan.keptSchema !== null && (await readLiveOid(connection, plan.keptSchema, signal)) !== null) {
      throw outdated(`there is a schema ${plan.keptSchema} already`)
    }
  }

  async #backUpFirst(name: string): Promise<void> {
    const job = this.#job
    const inside = insideStep(job, 'safety', 'Safety backup')
    try {
      await makeBackup(this.#context, inside, { site: this.#site.name, to: 'vault', databaseOnly: true, name })
    } catch (error) {
      if (isCancelled(error)) throw error
      const { code, message, details } = toAppError(error)
      throw new AppError(code, `The safety backup failed, so that nothing was restored: ${message}`, {
        hint: 'Put that right, or switch the safety backup off and make the plan again.',
        details,
        cause: error,
      })
    }
    this.#isSafe = true
    job.item('safety', { detail: `${name} is in the vault, read back and checked` })
  }

  async #restoreMedia(repository: Repository, part: PlannedPart): Promise<void> {
    const folders = await this.#beginFiles()
    const job = this.#job
    const { filesDir } = folders
    const { server } = diskOf(folders)
    const sums = this.#stored.mediaSums
    if (server) job.phase('Comparing media files on the server')
    const known = server && sums ? await stillSame(server, filesDir, sums, job.signal) : null
    job.phase('Writing media files', part.storedBytes, 'bytes')
    const schema = this.#stored.database ? this.#stored.plan.schema : null
    const { workers } = this.#context
    const places = { filesDir, disk: diskOf(folders), ...(known ? { same: known } : {}) }
    const request = { ...places, jobId: job.id, site: this.#site.name, schema, workers, signal: job.signal }
    this.#media = await this.#withPart(repository, part, (tar) => restoreMedia({ ...request, tar }))
    const { added, replaced, same } = this.#media
    job.item('media', { detail: `${added} added, ${replaced} replaced, ${same} were the same` })
  }

  async #restoreConfig(repository: Repository, part: PlannedPart): Promise<void> {
    const folders = await this.#beginFiles()
    const { name: site } = this.#site
    const job = this.#job
    const { plan, database } = this.#stored
    job.phase('Writing configuration files', part.storedBytes, 'bytes')
    const { workers } = this.#context
    const request = { folders, site, parts: configParts(plan.parts), jobId: job.id, workers, signal: job.signal }
    const schema = database ? plan.schema : null
    this.#config = await this.#withPart(repository, part, (tar) => restoreConfig({ ...request, schema, tar }))
    const { added, replaced, same, notes } = this.#config
    for (const note of notes) job.log(note)
    job.item('config', { detail: `${added} added, ${replaced} replaced, ${same} were the same` })
  }

  async #loadDatabase(repository: Repository, part: PlannedPart): Promise<string[]> {
    const { onServer } = this.#stored
    const { tables, findings } = await restoreDatabase({
      context: this.#context,
      job: this.#job,
      site: this.#site,
      stored: this.#stored,
      part,
      folders: onServer ? await this.#siteFolders() : null,
      wroteFiles: this.#wroteFiles,
      withScript: (work) => this.#withPart(repository, part, work),
      undoRoot: () => this.#undoRoot(),
    })
    this.#findings = findings
    return tables
  }

  /** Works on a part's content; at its end it must have been the file that the plan read. */
  async #withPart<T>(
    repository: Repository,
    part: PlannedPart,
    work: (content: AsyncGenerator<Buffer, void, void>) => Promise<T>,
  ): Promise<T> {
    const { signal } = this.#job
    const { workers } = this.#context
    const onBytes = (bytes: number) => this.#job.advance(bytes)
    const open = await openPart({ repository, part, passwords: this.#stored.passwords, workers, signal, onBytes })
    async function* verified(): AsyncGenerator<Buffer, void, void> {
      yield* open.content
      if (open.hashes().stored !== part.storedHash) throw outdated(`the content of ${part.file} has changed`)
    }
    try {
      return await work(verified())
    } finally {
      open.close()
    }
  }

  /** The folders of the site; from here on some of their files may be changed. */
  async #beginFiles(): Promise<SiteFolders> {
    const folders = await this.#siteFolders()
    this.#wroteFiles = true
    if (folders.disk) await noteUnfinished(this.#context, this.#site, this.#job.id)
    return folders
  }

  async #siteFolders(): Promise<SiteFolders> {
    const folders = this.#folders ?? (await siteFolders(this.#context, this.#site, this.#job.signal))
    if (!folders) throw outdated('the site has no files folder any more')
    this.#folders = folders
    return folders
  }

  /** The site's folders, when what this job wrote can be undone there. */
  async #undoRoot(): Promise<SiteFolders | null> {
    const folders = this.#folders
    return folders && this.#wroteFiles && (await hasUndo(folders, this.#job.id)) ? folders : null
  }

  /** After a failure: files as before, and an error that says so. */
  async #takeBack(error: unknown): Promise<AppError> {
    const failure = toAppError(error)
    // whether the database was swapped is not known: the next start finds out and decides
    if (failure.code === 'commit-unknown') return failure
    const folders = this.#folders
    if (folders && this.#wroteFiles) {
      try {
        const { removed, putBack } = await undoFiles(folders, this.#job.id)
        await forgetUnfinished(this.#context, this.#site, this.#job.id)
        this.#job.log(`Files are as before: ${removed} added ones removed, ${putBack} replaced ones put back.`)
      } catch (cause) {
        return new AppError(
          'undo-failed',
          `${failure.message} The files could not be put back: ${toAppError(cause).message} The database is as before.`,
          {
            hint: `The next start of Backup Desk tries again. What was replaced lies in ${undoPlaces(folders, this.#job.id).folder}.`,
            details: { ...failure.details, failure: failure.code },
            cause,
          },
        )
      }
    }
    if (isCancelled(error)) return cancelledError()
    const safe = this.#isSafe ? ` The safety backup ${this.#stored.plan.safetyBackup} stays in the vault.` : ''
    const message = failure.message.replace(/ The live database is exactly as before\.$/, '')
    return new AppError(failure.code, `${message} Database and media are exactly as before.${safe}`, {
      hint: failure.hint,
      details: failure.details,
      cause: error,
    })
  }
}
