import type { EngineContext } from '#engine/foundation/context.ts'
import { AppError, toAppError } from '#shared/errors.ts'
import type { Job } from '#shared/model/job.ts'
import type { KeptState } from '#shared/model/plan.ts'
import type { Site } from '#shared/model/site.ts'
import { isCutWhenKept, keptMoment } from '../plan/kept-name.ts'
import { siteFolders } from '../site-folders.ts'
import { type KeptSchema, readKeptSchemas } from './kept-schemas.ts'
import { type SetAside, setAsideBy } from './restore-facts.ts'
import { readUndoFolders, type UndoFolder } from './undo-folders.ts'

/** As many as the home folder keeps. */
const JOBS = 500

/** A kept state, and where it lies. */
export interface KeptFacts {
  state: KeptState
  schema: KeptSchema | null
  folder: UndoFolder | null
}

interface Known {
  schemas: KeptSchema[]
  folders: UndoFolder[]
  jobs: Map<string, SetAside>
}

/**
 * What earlier restores and undos of a site left behind, newest first: kept schemas, and files that can be put back.
 * @throws AppError why database or files folder can't be asked; `details.kept` has what is known all the same
 */
export async function listKept(context: EngineContext, site: Site, signal?: AbortSignal): Promise<KeptFacts[]> {
  const { schema } = site.database
  const jobs = new Map<string, SetAside>()
  for (const job of await context.jobs.list({ site: site.name, limit: JOBS })) addFinished(jobs, job)
  const failures: AppError[] = []
  const tolerate = <T>(error: unknown): T[] => {
    failures.push(toAppError(error))
    return []
  }
  const folders = await undoFoldersOf(context, site, signal).catch((error) => tolerate<UndoFolder>(error))
  const schemas = await readSchemas(context, site, signal).catch((error) => tolerate<KeptSchema>(error))
  signal?.throwIfAborted()
  const [failure] = failures
  if (!failure) return joined(site, { schemas, folders, jobs })
  const guessed = schemas.length > 0 ? schemas : guessedSchemas(schema, jobs)
  const kept = joined(site, { schemas: guessed, folders, jobs }).map(({ state }) => state)
  throw new AppError(failure.code, `What is kept of ${site.name} can’t be told for certain: ${failure.message}`, {
    hint: failure.hint,
    details: { ...failure.details, kept },
    cause: failure,
  })
}

/** @throws AppError `unknown-kept`, and those of {@link listKept} */
export async function findKept(context: EngineContext, site: Site, id: string, signal?: AbortSignal): Promise<KeptFacts> {
  const kept = await listKept(context, site, signal)
  const found = kept.find(({ state }) => state.id === id)
  if (found) return found
  throw new AppError('unknown-kept', `Nothing is kept of ${site.name} under ${JSON.stringify(id.slice(0, 100))}.`, {
    hint: 'See what is kept with: zbd kept SITE',
    details: { id: id.slice(0, 200), kept: kept.map(({ state }) => state.id) },
  })
}

/** Of all folders that restores left. */
async function undoFoldersOf(context: EngineContext, site: Site, signal?: AbortSignal): Promise<UndoFolder[]> {
  const folders = await siteFolders(context, site, signal)
  return folders ? readUndoFolders(folders, site.name) : []
}

async function readSchemas(context: EngineContext, site: Site, signal: AbortSignal | undefined): Promise<KeptSchema[]> {
  return readKeptSchemas(await context.sites.connection(site), site.database.schema, signal)
}

function addFinished(jobs: Map<string, SetAside>, job: Job): void {
  const setAside = setAsideBy(job)
  // an interrupted one may have reached its end all the same
  const mayBeDone = job.state === 'done' || job.state === 'interrupted' || job.error?.code === 'commit-unknown'
  if (setAside && mayBeDone) jobs.set(job.id, setAside)
}

function joined(site: Site, { schemas, folders, jobs }: Known): KeptFacts[] {
  const { schema: live } = site.database
  const now = Date.now()
  const ofSchemas = schemas.flatMap((schema) => {
    const [jobId, setAside] = jobOf(schema, live, jobs)
    const folder = folders.find((entry) => entry.schema === live && (entry.job === jobId || entry.liveOid === schema.oid)) ?? null
    // a cut name may be that of another site's schema
    if (isCutWhenKept(live) && setAside === null && folder === null) return []
    return [{ schema, folder, jobId: jobId ?? folder?.job ?? null, keptAt: schema.keptAt, setAside }]
  })
  const joinedFolders = new Set(ofSchemas.map(({ folder }) => folder))
  const ofFolders = folders
    .filter((folder) => !joinedFolders.has(folder) && folder.replaced + folder.added > 0)
    .map((folder) => ({
      schema: null,
      folder,
      jobId: folder.job,
      keptAt: folder.at,
      setAside: jobs.get(folder.job) ?? null,
    }))
  return [...ofSchemas, ...ofFolders]
    .sort((a, b) => b.keptAt.getTime() - a.keptAt.getTime())
    .map(({ schema, folder, jobId, keptAt, setAside }) => ({
      schema,
      folder,
      state: {
        id: schema?.name ?? folder?.job ?? '',
        schema: schema?.name ?? null,
        keptAt: keptAt.toISOString(),
        ageSeconds: Math.max(0, Math.round((now - keptAt.getTime()) / 1000)),
        bytes: schema ? schema.bytes : null,
        by: setAside?.by ?? (folder ? (folder.undoes === null ? 'restore' : 'undo') : null),
        jobId,
        backup: setAside?.backup ?? null,
        files: folder ? { replaced: folder.replaced, added: folder.added, bytes: folder.bytes } : null,
      },
    }))
}

function jobOf(schema: KeptSchema, live: string, jobs: Known['jobs']): [string | null, SetAside | null] {
  for (const [id, setAside] of jobs) {
    if (setAside.keptSchema === schema.name && setAside.schema === live) return [id, setAside]
  }
  return [null, null]
}

/** What the journals say was set aside; whether it is still there only the database knows. */
function guessedSchemas(live: string, jobs: Known['jobs']): KeptSchema[] {
  return [...jobs.values()].flatMap(({ schema, keptSchema }) => {
    const keptAt = schema === live && keptSchema !== null ? keptMoment(keptSchema, live) : null
    return keptAt && keptSchema !== null ? [{ name: keptSchema, oid: 0, keptAt, bytes: 0 }] : []
  })
}
