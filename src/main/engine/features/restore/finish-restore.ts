import { connectPostgres, quoteIdentifier } from '#engine/foundation/connections/postgres.ts'
import type { EngineContext } from '#engine/foundation/context.ts'
import type { JobContext } from '#engine/foundation/jobs/types.ts'
import { toAppError } from '#shared/errors.ts'
import type { PlanCheck, RestorePlan } from '#shared/model/plan.ts'
import type { Site } from '#shared/model/site.ts'
import type { ConfigResult } from './config/restore-config.ts'
import { markCommitted, type UndoRoot } from './files/undo-journal.ts'
import { schemaBytes } from './live.ts'
import type { MediaResult } from './media/restore-media.ts'
import { forgetUnfinished } from './remote-files/unfinished.ts'
import { restartAfter } from './restart.ts'

export interface RestoreResult {
  /** The name under which the old schema is kept; null: the database was not restored, or there was none. */
  keptSchema: string | null
  keptBytes: number | null
  media: { added: number; replaced: number; same: number } | null
  /** Configuration and security files; null: not restored. */
  config: { added: number; replaced: number; same: number } | null
  /** Of the site as it was, in the vault; null: none was made. */
  safetyBackup: string | null
  /** What was found in the database after it was loaded, before it became the live one. */
  findings: PlanCheck[]
  restartNeeded: boolean
  note: string
  seconds: number
  /** How to go back; empty when nothing was replaced. */
  undoHint: string
}

export interface DoneRestore {
  context: EngineContext
  job: JobContext
  site: Site
  plan: RestorePlan
  /** Milliseconds since 1970. */
  started: number
  tables: string[]
  media: MediaResult | null
  config: ConfigResult | null
  findings: PlanCheck[]
  /** Where what the job wrote can be undone; null: it wrote no files. */
  root: UndoRoot | null
}

/** What follows once a restore is in place: what fails now is told, and fails nothing. */
export async function finishRestore(done: DoneRestore): Promise<RestoreResult> {
  const { context, job, site, plan, root } = done
  if (root) {
    await quietly(done, 'marking the restore as done', async () => {
      await markCommitted(root, job.id)
      await forgetUnfinished(context, site, job.id)
    })
  }
  let keptBytes: number | null = null
  if (plan.parts.includes('database')) {
    await analyze(done)
    const { keptSchema } = plan
    if (keptSchema !== null) {
      await quietly(done, 'measuring the kept schema', async () => {
        keptBytes = await schemaBytes(await context.sites.connection(site), keptSchema)
      })
    }
  }
  const isConcerned = plan.schema === site.database.schema || plan.parts.some((part) => part !== 'database')
  const restarted = isConcerned ? await restartAfter(context, job, site) : { restartNeeded: false, note: '' }
  if (!isConcerned)
    job.item('restart', { state: 'skipped', detail: `Not needed: the site goes on using “${site.database.schema}”` })
  const isUndoable = plan.keptSchema !== null || root !== null
  return {
    keptSchema: plan.keptSchema,
    keptBytes,
    media: countsOf(done.media),
    config: countsOf(done.config),
    safetyBackup: plan.safetyBackup,
    findings: done.findings,
    ...restarted,
    seconds: (Date.now() - done.started) / 1000,
    undoHint: isUndoable
      ? `Undo this restore on the site’s overview, or with: zbd undo ${plan.site} ${plan.keptSchema ?? job.id} --plan`
      : '',
  }
}

function countsOf(written: MediaResult | ConfigResult | null): RestoreResult['media'] {
  if (!written) return null
  const { added, replaced, same } = written
  return { added, replaced, same }
}

async function analyze(done: DoneRestore): Promise<void> {
  const { context, job, site, plan, tables } = done
  job.item('analyze', { state: 'running' })
  job.phase('Updating statistics', tables.length, 'steps')
  const isDone = await quietly(done, 'updating statistics', async () => {
    // a cancel now would leave the restore in place all the same
    const client = await connectPostgres(await context.sites.connection(site))
    try {
      for (const table of tables) {
        if (job.signal.aborted) return
        await client.query(`ANALYZE ${quoteIdentifier(plan.schema)}.${quoteIdentifier(table)}`)
        job.advance(1)
      }
    } finally {
      await client.end()
    }
  })
  job.item('analyze', isDone ? { state: 'done' } : { state: 'skipped', detail: 'not done; the database does it by itself later' })
}

async function quietly({ context, job }: DoneRestore, what: string, action: () => Promise<void>): Promise<boolean> {
  try {
    await action()
    return true
  } catch (error) {
    job.log(`The restore is in place, but ${what} failed: ${toAppError(error).message}`)
    context.log.warn(`after a restore: ${what} failed`, { job: job.id, error })
    return false
  }
}
