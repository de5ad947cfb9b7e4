import type { QuerySession } from '#engine/foundation/connections/postgres.ts'
import type { SshConnection } from '#engine/foundation/connections/ssh/types.ts'
import type { EngineContext } from '#engine/foundation/context.ts'
import type { JobContext } from '#engine/foundation/jobs/types.ts'
import { outdated } from '#engine/foundation/plans/plan-shelf.ts'
import { toAppError } from '#shared/errors.ts'
import { formatBytes } from '#shared/format.ts'
import type { PlanCheck } from '#shared/model/plan.ts'
import type { Site } from '#shared/model/site.ts'
import { appendToUndoJournal, diskOf, type SiteFolders, undoPlaces } from './files/undo-journal.ts'
import { type Committing, type LoadProgress, loadDump } from './load.ts'
import type { LoadFrame } from './load-frame.ts'
import { copyDump, type DumpOnServer, sendDump } from './on-server/dump-on-server.ts'
import { loadOnServer } from './on-server/load-on-server.ts'
import type { PlannedPart, ServerLoading, StoredPlan } from './plan/stored-plan.ts'
import { forgetUnfinished, noteUnfinished } from './remote-files/unfinished.ts'
import { verifyLoaded } from './verify-load.ts'

export interface DatabaseRestore {
  context: EngineContext
  job: JobContext
  site: Site
  stored: StoredPlan
  part: PlannedPart
  /** Those of the site's server when that loads; else null. */
  folders: SiteFolders | null
  /** True when the same job wrote files, which its journal on the server tells of. */
  wroteFiles: boolean
  /** Works on the dump's plain script; at its end it must have been the file that the plan read. */
  withScript<T>(work: (script: AsyncGenerator<Buffer, void, void>) => Promise<T>): Promise<T>
  /** Where what the job wrote can be undone; null: it wrote no files. */
  undoRoot(): Promise<SiteFolders | null>
}

export interface RestoredDatabase {
  tables: string[]
  findings: PlanCheck[]
}

/** Loads the database of a plan, from here or by psql on the site's server, and has it checked before anybody sees it. */
export async function restoreDatabase(restore: DatabaseRestore): Promise<RestoredDatabase> {
  const { context, job, site, stored, part, withScript, undoRoot } = restore
  const { plan, dumpSchema, expected, onServer } = stored
  const { schema, withoutOwners, withoutGrants } = plan
  const where = onServer ? ' on the server' : ''
  const enterPhase = () => job.phase(`Loading the database${where}`, part.storedBytes, 'bytes')
  let findings: PlanCheck[] = []
  let doing = ''
  let isWaiting = false
  const frame: LoadFrame = {
    connection: await context.sites.connection(site),
    schema,
    dumpSchema,
    keepLiveAs: plan.keptSchema,
    onLockWait(text) {
      if (text === null) enterPhase()
      else if (!isWaiting) job.log(text)
      isWaiting = text !== null
      if (text !== null) job.phase(text)
      job.item('database', { detail: text ?? doing })
    },
  }
  const beforeCommit = async (committing: Committing, session: QuerySession) => {
    job.item('loaded', { state: 'running' })
    job.phase('Checking what was loaded', expected.rows.size, 'steps')
    findings = await verifyLoaded(session, schema, expected, () => job.advance(1))
    const warnings = findings.filter(({ outcome }) => outcome === 'warning')
    const told = warnings.length > 0 ? warnings : findings.slice(0, 1)
    job.item('loaded', { state: 'done', detail: told.map(({ name, finding }) => `${name}: ${finding}`).join('; ') })
    const root = await undoRoot()
    if (root) await appendToUndoJournal(root, job.id, [{ type: 'committing', ...committing }])
  }
  const target = { schema, dumpSchema, withoutOwners, withoutGrants }
  const { signal } = job
  if (onServer) {
    await withDumpThere(restore, onServer, target, async (server, dump) => {
      const { psql, isRestricted } = onServer
      const { runs } = expected
      const onBytes = (bytes: number) => job.advance((bytes * part.storedBytes) / dump.bytes)
      enterPhase()
      job.log(`psql ${psql.version} (${psql.path}) on ${server.place} loads ${formatBytes(dump.bytes)}.`)
      const { database } = site
      await loadOnServer({ ...frame, server, psql, database, dump, isRestricted, runs, signal, onBytes, beforeCommit })
    })
  } else {
    const onProgress = (progress: LoadProgress) => {
      if (progress.doing !== doing) job.item('database', { detail: progress.doing })
      doing = progress.doing
    }
    enterPhase()
    await withScript((script) => loadDump({ ...frame, ...target, signal, onProgress, beforeCommit, script }))
  }
  for (const { name, finding } of findings) job.log(`${name}: ${finding}.`)
  const tables = [...expected.rows.keys()]
  let rows = 0
  for (const count of expected.rows.values()) rows += count
  job.item('database', { detail: `${tables.length} tables, ${rows} rows` })
  return { tables, findings }
}

/** Has the dump on the server for as long as it is worked on: in the job's own folder there, which a crash is recovered from. */
async function withDumpThere(
  { context, job, site, part, folders, wroteFiles, withScript }: DatabaseRestore,
  { file }: ServerLoading,
  target: Parameters<typeof sendDump>[3],
  work: (server: SshConnection, dump: DumpOnServer) => Promise<void>,
): Promise<void> {
  const disk = diskOf(folders ?? {})
  const { server } = disk
  if (!folders || !server) throw outdated('the site’s server is not reached by SSH any more')
  const { signal } = job
  const places = undoPlaces(folders, job.id)
  await noteUnfinished(context, site, job.id)
  try {
    let dump: DumpOnServer
    if (file === null) {
      job.phase('Sending the dump to the server', part.storedBytes, 'bytes')
      dump = await withScript((script) => sendDump(server, places.dump, script, target, signal))
    } else {
      job.phase('Preparing the dump on the server')
      dump = await copyDump(server, places.dump, { path: file, bytes: part.storedBytes, wanted: part.storedHash }, signal)
    }
    await work(server, dump)
  } finally {
    // what can't be removed now is remembered, and removed by the next start
    try {
      await disk.removeTree(places.dump)
      if (!wroteFiles) {
        await disk.removeFolder(places.folder)
        await forgetUnfinished(context, site, job.id)
      }
    } catch (error) {
      job.log(`The dump on the server could not be removed yet: ${toAppError(error).message}`)
    }
  }
}
