import { connectPostgres } from '#engine/foundation/connections/postgres.ts'
import type { EngineContext } from '#engine/foundation/context.ts'
import type { JobContext } from '#engine/foundation/jobs/types.ts'
import { hashOf, outdated } from '#engine/foundation/plans/plan-shelf.ts'
import { AppError, cancelledError, isCancelled, toAppError } from '#shared/errors.ts'
import { formatPlural } from '#shared/format.ts'
import type { Site } from '#shared/model/site.ts'
import { undoFiles } from '../files/undo-files.ts'
import { appendToUndoJournal, hasUndo, markCommitted, removeUndo, type SiteFolders } from '../files/undo-journal.ts'
import type { Committing } from '../load.ts'
import { forgetUnfinished, noteUnfinished } from '../remote-files/unfinished.ts'
import { restartAfter } from '../restart.ts'
import { siteFolders } from '../site-folders.ts'
import { markDropping, unmarkDropping } from './dropping.ts'
import { undoFacts } from './restore-facts.ts'
import { dropSchema, swapSchemas } from './schema-changes.ts'
import { finishTakingBack, type TakenBack, takeBackFiles } from './take-back-files.ts'
import { type StoredWayBack, wayBackConfirmation, wayBackPlans } from './way-back-plan.ts'

export interface WayBackResult {
  kind: 'undo' | 'drop'
  /** Undo: the name under which what was live is kept; null: it was files only, or there was no live schema. */
  keptSchema: string | null
  files: TakenBack | null
  restartNeeded: boolean
  note: string
  seconds: number
}

/**
 * Asks the shell to confirm a plan of going back or deleting, and starts it as a job.
 * @returns the job's id; null: not confirmed, nothing done
 * @throws AppError `plan-unknown`, `plan-used`, `plan-expired`, `plan-not-runnable`
 */
export async function startWayBack(context: EngineContext, planId: string): Promise<string | null> {
  const { plan } = wayBackPlans.get(context, planId)
  const site = await context.sites.get(plan.site)
  const stored = await wayBackPlans.confirmed(context, planId, wayBackConfirmation)
  if (!stored) return null
  const isUndo = plan.kind === 'undo'
  return context.jobs.start({
    kind: plan.kind,
    title: isUndo ? `Taking ${site.name} back` : `Deleting ${plan.kept.schema ?? 'kept files'} of ${site.name}`,
    site: site.name,
    holds: [`site:${site.name}`],
    run: (job) => new WayBackRun(context, job, site, stored).run(),
  }).id
}

class WayBackRun {
  readonly #context: EngineContext
  readonly #job: JobContext
  readonly #site: Site
  readonly #stored: StoredWayBack
  #taken: TakenBack | null = null
  #found: SiteFolders | null = null

  constructor(context: EngineContext, job: JobContext, site: Site, stored: StoredWayBack) {
    this.#context = context
    this.#job = job
    this.#site = site
    this.#stored = stored
  }

  async run(): Promise<WayBackResult> {
    const started = Date.now()
    const { plan } = this.#stored
    const job = this.#job
    for (const { id, name, detail } of plan.steps) job.item(id, { name, detail, state: 'waiting' })
    const isUndo = plan.kind === 'undo'
    if (isUndo) job.item('check', { facts: undoFacts(plan, this.#site.database.schema) })
    await (isUndo ? this.#undo() : this.#drop())
    const restarted = isUndo ? await restartAfter(this.#context, job, this.#site) : { restartNeeded: false, note: '' }
    return {
      kind: plan.kind,
      keptSchema: plan.keptSchema,
      files: this.#taken,
      ...restarted,
      seconds: (Date.now() - started) / 1000,
    }
  }

  async #undo(): Promise<void> {
    const job = this.#job
    const { schema, folder } = this.#stored.kept
    try {
      await job.step('check', 'Check again', () => this.#checkAgain())
      if (folder) await job.step('files', 'Put files back', () => this.#takeFilesBack(folder.job))
      if (schema) await job.step('database', 'Swap the schemas', () => this.#swap(schema))
      else if (folder) await markCommitted(await this.#folders(), job.id)
    } catch (error) {
      throw await this.#asBefore(error)
    }
    if (!folder) return
    try {
      const folders = await this.#folders()
      if (schema) await markCommitted(folders, job.id)
      await finishTakingBack(folders, job.id)
      await forgetUnfinished(this.#context, this.#site, job.id)
    } catch (error) {
      job.log(`The site is back, but clearing up failed; the next start tries again: ${toAppError(error).message}`)
    }
  }

  async #drop(): Promise<void> {
    const job = this.#job
    const { schema, folder } = this.#stored.kept
    await job.step('check', 'Check again', () => this.#checkAgain())
    if (schema) await job.step('database', 'Delete the kept schema', () => this.#dropSchema(schema, folder?.job ?? null))
    if (!folder) return
    const folders = await this.#folders()
    await this.#note(folders, folder.job)
    if (!schema) await markDropping(folders, folder.job, null)
    // from here on there is no going back, not by a cancel either
    job.phase('Deleting the kept files')
    job.item('files', { state: 'running' })
    await removeUndo(folders, folder.job)
    await forgetUnfinished(this.#context, this.#site, folder.job)
    job.item('files', { state: 'done' })
  }

  /** What the plan stands on must still be so. @throws AppError `plan-outdated` */
  async #checkAgain(): Promise<void> {
    const { settings, kept, liveOid, plan } = this.#stored
    const { folder, schema } = kept
    if (hashOf(await this.#context.sites.get(plan.site)) !== settings) throw outdated('the site’s settings have changed')
    if (folder && !(await hasUndo(await this.#folders(), folder.job))) throw outdated('the kept files are gone')
    if (!schema) return
    const client = await connectPostgres(await this.#context.sites.connection(this.#site), this.#job.signal)
    try {
      const { rows } = await client.query<{ name: string; oid: number }>(
        'SELECT nspname AS name, oid FROM pg_catalog.pg_namespace WHERE nspname = ANY ($1)',
        [[this.#site.database.schema, schema.name, plan.keptSchema ?? '']],
      )
      const oids = new Map(rows.map(({ name, oid }) => [name, oid]))
      if (oids.get(schema.name) !== schema.oid) throw outdated(`the schema ${schema.name} is another one or gone`)
      if (plan.kind === 'drop') return
      if ((oids.get(this.#site.database.schema) ?? null) !== liveOid) throw outdated('the live schema is another one')
      if (oids.has(plan.keptSchema ?? '')) throw outdated(`there is a schema ${plan.keptSchema} already`)
    } finally {
      await client.end()
    }
  }

  async #takeFilesBack(undoes: string): Promise<void> {
    const job = this.#job
    const { files } = this.#stored.plan.kept
    job.phase('Putting files back', files ? files.replaced + files.added : null, 'files')
    const folders = await this.#folders()
    await this.#note(folders, job.id)
    const taken = await takeBackFiles({
      folders,
      jobId: job.id,
      site: this.#site.name,
      undoes,
      schema: this.#stored.kept.schema ? this.#site.database.schema : null,
      signal: job.signal,
      onFile: () => job.advance(1),
    })
    this.#taken = taken
    const left = taken.left > 0 ? `; ${formatPlural(taken.left, 'added file')} changed since and stay` : ''
    const missing = taken.missing > 0 ? `; ${formatPlural(taken.missing, 'file')} could not be put back` : ''
    job.item('files', { detail: `${taken.putBack} put back, ${taken.removed} set aside${left}${missing}` })
  }

  async #swap(kept: { name: string; oid: number }): Promise<void> {
    const job = this.#job
    const { plan, liveOid, kept: facts } = this.#stored
    job.phase('Swapping the schemas')
    await swapSchemas({
      ...(await this.#changing()),
      schema: this.#site.database.schema,
      liveOid,
      kept,
      keepLiveAs: plan.keptSchema,
      beforeCommit: async (committing) => {
        if (facts.folder) await appendToUndoJournal(await this.#folders(), job.id, [{ type: 'committing', ...committing }])
      },
    })
    job.item('database', { detail: plan.keptSchema === null ? 'done' : `What was live is kept as ${plan.keptSchema}` })
  }

  async #dropSchema(kept: { name: string; oid: number }, undoJob: string | null): Promise<void> {
    this.#job.phase('Deleting the kept schema')
    try {
      await dropSchema({
        ...(await this.#changing()),
        kept,
        beforeCommit: async ({ backend }: Committing) => {
          if (undoJob === null) return
          const folders = await this.#folders()
          await this.#note(folders, undoJob)
          await markDropping(folders, undoJob, { schema: kept.name, oid: kept.oid, backend })
        },
      })
    } catch (error) {
      const isKnown = !(error instanceof AppError && error.code === 'commit-unknown')
      if (undoJob !== null && isKnown) {
        await unmarkDropping(await this.#folders(), undoJob)
        await forgetUnfinished(this.#context, this.#site, undoJob)
      }
      throw error
    }
  }

  async #changing() {
    const job = this.#job
    return {
      connection: await this.#context.sites.connection(this.#site),
      signal: job.signal,
      onLockWait: (text: string | null) => {
        if (text === null) return
        job.phase(text)
        job.item('database', { detail: text })
      },
    }
  }

  async #folders(): Promise<SiteFolders> {
    this.#found ??= await siteFolders(this.#context, this.#site)
    if (!this.#found) throw outdated('the site has no files folder any more')
    return this.#found
  }

  /** From here on a job may leave the files of a server half-changed. */
  async #note({ disk }: SiteFolders, job: string): Promise<void> {
    if (disk) await noteUnfinished(this.#context, this.#site, job)
  }

  /** After a failed undo: files as before it, and an error that says so. */
  async #asBefore(error: unknown): Promise<AppError> {
    const failure = toAppError(error)
    const { folder } = this.#stored.kept
    // whether the schemas were swapped is not known: the next start finds out and decides
    if (failure.code === 'commit-unknown') return failure
    if (folder && this.#found) {
      try {
        await undoFiles(this.#found, this.#job.id)
        await forgetUnfinished(this.#context, this.#site, this.#job.id)
      } catch (cause) {
        return new AppError(
          'undo-failed',
          `${failure.message} The files could not be put back as they were: ${toAppError(cause).message}`,
          { hint: 'The next start of Backup Desk tries again.', details: { ...failure.details, failure: failure.code }, cause },
        )
      }
    }
    if (isCancelled(error)) return cancelledError()
    const message = failure.message.replace(/ The database is exactly as before\.$/, '')
    return new AppError(failure.code, `${message} Database and files are exactly as before.`, {
      hint: failure.hint,
      details: failure.details,
      cause: error,
    })
  }
}
