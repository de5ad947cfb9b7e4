import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { forgetKeptFolder } from '#engine/features/listing/index.ts'
import type { EngineContext } from '#engine/foundation/context.ts'
import { clusterDataFolder, removeCluster } from '#engine/foundation/embedded-postgres/cluster.ts'
import { writeFileAtomic } from '#engine/foundation/files/atomic.ts'
import { folderBytes } from '#engine/foundation/files/folder-size.ts'

/** How many scratch databases of failed drills stay at most: each is as large as a site's database. */
const KEPT = 2
const NOTE = 'drill.json'

const noteSchema = z.object({
  /** null: a folder that belongs to no site. */
  site: z.string().nullable(),
  repository: z.string(),
  name: z.string(),
  timestamp: z.string(),
  keptAt: z.string(),
})

type DrilledBackup = Pick<z.infer<typeof noteSchema>, 'site' | 'repository' | 'name' | 'timestamp'>

interface KeptDrill extends z.infer<typeof noteSchema> {
  folder: string
}

type KeptPlaces = Pick<EngineContext, 'home' | 'locks' | 'log'>

/**
 * Notes what a kept scratch database is of, and removes the oldest ones beyond the last two. Returns its bytes.
 * @param found what else is worth knowing of it: the report, and what it takes to look
 */
export async function noteKept(context: KeptPlaces, folder: string, backup: DrilledBackup, found: object): Promise<number> {
  const note = { ...backup, keptAt: new Date().toISOString(), data: await clusterDataFolder(folder) }
  await writeFileAtomic(join(folder, NOTE), `${JSON.stringify({ ...note, ...found }, null, 2)}\n`)
  const kept = await listKept(context)
  for (const old of kept.slice(KEPT)) await removeKept(context, old)
  return bytesOf(folder)
}

/** A backup that is drilled well needs no scratch database of an earlier failure any more. */
export async function removeKeptOf(context: KeptPlaces, backup: DrilledBackup): Promise<void> {
  for (const kept of await listKept(context)) {
    const isSame = (['site', 'repository', 'name', 'timestamp'] as const).every((key) => kept[key] === backup[key])
    if (isSame) await removeKept(context, kept)
  }
}

/** Removes every scratch database that a failed drill kept. */
export async function clearKeptDrills(context: KeptPlaces): Promise<{ folder: string; bytes: number }[]> {
  const removed: { folder: string; bytes: number }[] = []
  for (const kept of await listKept(context)) {
    removed.push({ folder: kept.folder, bytes: await bytesOf(kept.folder) })
    await removeKept(context, kept)
  }
  return removed
}

/** Newest first. */
async function listKept({ home }: KeptPlaces): Promise<KeptDrill[]> {
  const kept: KeptDrill[] = []
  for (const name of await readdir(home.scratch).catch(() => [])) {
    const folder = join(home.scratch, name)
    const note = await readNote(join(folder, NOTE))
    if (note) kept.push({ ...note, folder })
  }
  return kept.sort((a, b) => (a.keptAt < b.keptAt ? 1 : -1))
}

/** null: not one that was kept, or its note can't be read. */
async function readNote(file: string): Promise<z.infer<typeof noteSchema> | null> {
  try {
    return noteSchema.parse(JSON.parse(await readFile(file, 'utf8')))
  } catch {
    return null
  }
}

async function removeKept(context: KeptPlaces, { site, folder }: KeptDrill): Promise<void> {
  await removeCluster(folder)
  if (site !== null) await forgetKeptFolder(context, site, folder)
  context.log.info('removed the scratch database of a failed drill', { folder })
}

/** For root, the data are outside of the folder. */
async function bytesOf(folder: string): Promise<number> {
  const data = await clusterDataFolder(folder)
  const outside = data !== null && !data.startsWith(folder) ? await folderBytes(data) : 0
  return outside + (await folderBytes(folder))
}
