import { connectPostgres, quoteIdentifier } from '#engine/foundation/connections/postgres.ts'
import type { EngineContext } from '#engine/foundation/context.ts'
import type { JobContext } from '#engine/foundation/jobs/types.ts'
import { openRepository } from '#engine/foundation/repository/open.ts'
import type { Repository } from '#engine/foundation/repository/types.ts'
import { AppError, cancelledError, isCancelled, toAppError } from '#shared/errors.ts'
import type { Site } from '#shared/model/site.ts'
import { undoFiles } from './files/undo-files.ts'
import { appendToUndoJournal, hasUndo, markCommitted, undoPlaces } from './files/undo-journal.ts'
import { readLiveOid, schemaBytes } from './live.ts'
import { type Committing, type LoadProgress, loadDump } from './load.ts'
import { type MediaResult, restoreMedia } from './media/restore-media.ts'
import { openPart } from './open-part.ts'
import { confirmationOf } from './plan/describe-plan.ts'
import { hashOf, type PlannedPart, runnablePlan, type StoredPlan } from './plan/stored-plan.ts'

export interface RestoreResult {
  /** The name under which the old schema is kept; null: the database was not restored, or there was none. */
  keptSchema: string | null
  keptBytes: number | null
  media: { added: number; replaced: number; same: number } | null
  restartNeeded: boolean
  note: string
  seconds: number
  /** How to go back; empty when nothing was replaced. */
  undoHint: string
}

/**
 * Asks the shell to confirm a plan and starts it as a job.
 * @returns the job's id; null: not confirmed, nothing done
 * @throws AppError `plan-unknown`, `plan-used`, `plan-expired`, `plan-not-runnable`
 */
export async function startRestore(context: EngineContext, planId: string): Promise<string | null> {
  const stored = runnablePlan(context, planId)
  const site = await context.sites.get(stored.plan.site)
  stored.isUsed = true
  let isConfirmed = false
  try {
    isConfirmed = await context.confirm(confirmationOf(stored.plan))
  } finally {
    // a plan that was not confirmed can be confirmed later
    stored.isUsed = isConfirmed
  }
  if (!isConfirmed) return null
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
  #startedMedia = false

  constructor(context: EngineContext, job: JobContext, site: Site, stored: StoredPlan) {
    this.#context = context
    this.#job = job
    this.#site = site
    this.#stored = stored
  }

  async run(): Promise<RestoreResult> {
    const started = Date.now()
    const { plan, database, media } = this.#stored
    const job = this.#job
    for (const { id, name, detail } of plan.steps) job.item(id, { name, detail, state: 'waiting' })
    const repository = await openRepository(this.#context, this.#site, this.#stored.from)
    let tables: string[] = []
    try {
      await job.step('check', 'Check again', () => this.#checkAgain(repository))
      if (media) await job.step('media', 'Write media files', () => this.#restoreMedia(repository, media))
      if (database) tables = await job.step('database', 'Load the database', () => this.#loadDatabase(repository, database))
    } catch (error) {
      throw await this.#takeBack(error)
    }
    return this.#finish(started, tables)
  }

  /** What the plan stands on must still be so. @throws AppError `plan-outdated` */
  async #checkAgain(repository: Repository): Promise<void> {
    const { plan, settings, database, media, liveOid } = this.#stored
    if (hashOf(await this.#context.sites.get(this.#site.name)) !== settings) throw outdated('the site’s settings have changed')
    for (const part of [database, media]) {
      if (!part) continue
      const stat = await repository.stat(part.file)
      if (stat?.version !== part.version) throw outdated(`the file ${part.file} has changed`)
    }
    if (!plan.parts.includes('database')) return
    const { schema } = this.#site.database
    const connection = await this.#context.sites.connection(this.#site)
    if ((await readLiveOid(connection, schema, this.#job.signal)) !== liveOid) throw outdated('the live schema is another one')
    if (plan.keptSchema !== null && (await readLiveOid(connection, plan.keptSchema, this.#job.signal)) !== null) {
      throw outdated(`there is a schema ${plan.keptSchema} already`)
    }
  }

  async #restoreMedia(repository: Repository, part: PlannedPart): Promise<void> {
    const { server } = this.#site
    if (!server) throw outdated('the site has no files folder any more')
    const job = this.#job
    job.phase('Writing media files', part.storedBytes, 'bytes')
    this.#startedMedia = true
    const schema = this.#stored.database ? this.#site.database.schema : null
    const request = { filesDir: server.filesDir, jobId: job.id, site: this.#site.name, schema, signal: job.signal }
    this.#media = await this.#withPart(repository, part, (tar) => restoreMedia({ ...request, tar }))
    const { added, replaced, same } = this.#media
    job.item('media', { detail: `${added} added, ${replaced} replaced, ${same} were the same` })
  }

  async #loadDatabase(repository: Repository, part: PlannedPart): Promise<string[]> {
    const job = this.#job
    const { schema } = this.#site.database
    const { plan } = this.#stored
    job.phase('Loading the database', part.storedBytes, 'bytes')
    let doing = ''
    const request = {
      connection: await this.#context.sites.connection(this.#site),
      schema,
      keepLiveAs: plan.keptSchema,
      signal: job.signal,
      onProgress: (progress: LoadProgress) => {
        if (progress.doing !== doing) job.item('database', { detail: progress.doing })
        doing = progress.doing
      },
      beforeCommit: async (committing: Committing) => {
        const filesDir = this.#undoFolder()
        if (filesDir !== null) await appendToUndoJournal(filesDir, job.id, [{ type: 'committing', ...committing }])
      },
    }
    const result = await this.#withPart(repository, part, (script) => loadDump({ ...request, script }))
    job.item('database', { detail: `${result.tables.length} tables, ${result.rows} rows` })
    return result.tables
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

  /** The files folder, when media of this job can be undone there. */
  #undoFolder(): string | null {
    const { server } = this.#site
    return server && this.#startedMedia && hasUndo(server.filesDir, this.#job.id) ? server.filesDir : null
  }

  /** After a failure: media as before, and an error that says so. */
  async #takeBack(error: unknown): Promise<AppError> {
    const failure = toAppError(error)
    const filesDir = this.#undoFolder()
    // whether the database was swapped is not known: the next start finds out and decides
    if (failure.code === 'commit-unknown') return failure
    const { server } = this.#site
    if (filesDir !== null && server) {
      try {
        const { removed, putBack } = await undoFiles(server, this.#job.id)
        this.#job.log(`Media are as before: ${removed} added ones removed, ${putBack} replaced ones put back.`)
      } catch (cause) {
        return new AppError(
          'undo-failed',
          `${failure.message} The media files could not be put back: ${toAppError(cause).message} The database is as before.`,
          {
            hint: `The next start of Backup Desk tries again. What was replaced lies in ${undoPlaces(filesDir, this.#job.id).replaced}.`,
            details: { ...failure.details, failure: failure.code },
            cause,
          },
        )
      }
    }
    if (isCancelled(error)) return cancelledError()
    const intact = 'Database and media are exactly as before.'
    return new AppError(failure.code, `${failure.message.replace(/ The live database is exactly as before\.$/, '')} ${intact}`, {
      hint: failure.hint,
      details: failure.details,
      cause: error,
    })
  }

  /** From here on the restore is in place: what fails now is told, and fails nothing. */
  async #finish(started: number, tables: string[]): Promise<RestoreResult> {
    const { plan, database } = this.#stored
    const job = this.#job
    const filesDir = this.#undoFolder()
    if (filesDir !== null) await this.#quietly('marking the restore as done', () => markCommitted(filesDir, job.id))
    let keptBytes: number | null = null
    if (database) {
      await this.#analyze(tables)
      const { keptSchema } = plan
      if (keptSchema !== null) {
        await this.#quietly('measuring the kept schema', async () => {
          keptBytes = await schemaBytes(await this.#context.sites.connection(this.#site), keptSchema)
        })
      }
    }
    job.item('restart', { state: 'waiting', detail: `by you, on the server: zotonic restartsite ${plan.site}` })
    const { added = 0, replaced = 0, same = 0 } = this.#media ?? {}
    return {
      keptSchema: plan.keptSchema,
      keptBytes,
      media: this.#media ? { added, replaced, same } : null,
      restartNeeded: true,
      note: `Restart the site now, so that it forgets what it has in memory: zotonic restartsite ${plan.site}`,
      seconds: (Date.now() - started) / 1000,
      undoHint: this.#undoHint(),
    }
  }

  async #analyze(tables: string[]): Promise<void> {
    const job = this.#job
    job.item('analyze', { state: 'running' })
    job.phase('Updating statistics', tables.length, 'steps')
    const done = await this.#quietly('updating statistics', async () => {
      // a cancel now would leave the restore in place all the same
      const client = await connectPostgres(await this.#context.sites.connection(this.#site))
      try {
        for (const table of tables) {
          if (job.signal.aborted) return
          await client.query(`ANALYZE ${quoteIdentifier(this.#site.database.schema)}.${quoteIdentifier(table)}`)
          job.advance(1)
        }
      } finally {
        await client.end()
      }
    })
    job.item('analyze', done ? { state: 'done' } : { state: 'skipped', detail: 'not done; the database does it by itself later' })
  }

  async #quietly(what: string, action: () => Promise<void>): Promise<boolean> {
    try {
      await action()
      return true
    } catch (error) {
      this.#job.log(`The restore is in place, but ${what} failed: ${toAppError(error).message}`)
      this.#context.log.warn(`after a restore: ${what} failed`, { job: this.#job.id, error })
      return false
    }
  }

  #undoHint(): string {
    const { keptSchema } = this.#stored.plan
    const { schema } = this.#site.database
    const hints: string[] = []
    if (keptSchema !== null) {
      hints.push(
        `Swap back: ALTER SCHEMA ${quoteIdentifier(schema)} RENAME TO another name, then ALTER SCHEMA ${quoteIdentifier(keptSchema)} RENAME TO ${quoteIdentifier(schema)}.`,
      )
    }
    const filesDir = this.#undoFolder()
    if (filesDir !== null) hints.push(`Replaced media files are in ${undoPlaces(filesDir, this.#job.id).replaced}.`)
    return hints.join(' ')
  }
}

function outdated(what: string): AppError {
  return new AppError('plan-outdated', `Since the plan was made, ${what}.`, { hint: 'Make the plan again.' })
}
