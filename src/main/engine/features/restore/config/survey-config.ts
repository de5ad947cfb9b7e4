import { wholeContent } from '#engine/foundation/content/read-tar.ts'
import type { RestorePlan } from '#shared/model/plan.ts'
import { areaFolder, diskOf, type SiteFolders } from '../files/undo-journal.ts'
import { ConfigReader, type ConfigRequest, shownPath } from './config-archive.ts'
import { type ConfigPart, isSiteConfig } from './config-entry.ts'

/** Files of the site alone that a survey lists; a folder full of them must not fill a plan. */
const LISTED_LEFT = 500

/** One file: as the plan shows it. */
export type ConfigChange = NonNullable<RestorePlan['config']>[number]

export interface ConfigSurvey {
  /** Whose configuration it is. */
  archiveSite: string
  /** In the order of the archive, then what the site alone has. */
  files: ConfigChange[]
  /** Of the files that would be written. */
  bytesToWrite: number
  /** Plain sentences: what an operator should know before. */
  notes: string[]
}

/**
 * What restoring configuration or security files would do, file by file. Writes nothing.
 * Source: docs/formats.md, "Configuration archive".
 * @throws AppError `config-empty`, `cancelled` and those of `ConfigReader`
 */
export async function surveyConfig(request: ConfigRequest): Promise<ConfigSurvey> {
  const reader = new ConfigReader(request)
  const disk = diskOf(request.folders)
  const files: ConfigChange[] = []
  let bytesToWrite = 0
  for await (const { entry, path, shown, standing } of reader.files()) {
    const isSame = standing === 'file' && (await disk.hasContent(path, await wholeContent(entry)))
    const change = standing === 'other' ? 'left' : standing === 'nothing' ? 'added' : isSame ? 'same' : 'replaced'
    files.push({ path: shown, bytes: entry.size, change })
    if (change === 'added' || change === 'replaced') bytesToWrite += entry.size
  }
  const { archiveSite, notes } = reader
  const known = new Set(files.map((file) => file.path))
  const left = (await filesOf(request)).filter(({ path }) => !known.has(path))
  if (left.length > LISTED_LEFT)
    notes.push(`The site has ${left.length} such files of its own; the first ${LISTED_LEFT} are listed.`)
  const second = secondConfiguration(files, left)
  if (second) notes.push(second)
  return { archiveSite, files: [...files, ...left.slice(0, LISTED_LEFT)], bytesToWrite, notes }
}

/** A site reads every zotonic_site file that it has. */
function secondConfiguration(files: ConfigChange[], left: ConfigChange[]): string | null {
  const main = (list: ConfigChange[]) => list.find(({ path }) => isSiteConfig(path.replace(/^priv\//, '')))?.path
  const [theirs, own] = [main(files), main(left)]
  return theirs && own
    ? `The site has ${own} and keeps it beside ${theirs} of the backup: remove the one that is not meant.`
    : null
}

/** Configuration and security files of a site, links included. */
async function filesOf({ folders, parts, signal }: ConfigRequest): Promise<ConfigChange[]> {
  const found: ConfigChange[] = []
  for (const part of parts) {
    for (const below of await listFiles(folders, part, [])) {
      signal.throwIfAborted()
      found.push({ path: shownPath(part, below), bytes: 0, change: 'left' })
    }
  }
  return found
}

async function listFiles(folders: SiteFolders, part: ConfigPart, below: string[]): Promise<string[][]> {
  const disk = diskOf(folders)
  const folder = disk.join(areaFolder(folders, part), ...below)
  const found: string[][] = []
  for (const name of (await disk.names(folder)).sort()) {
    const path = [...below, name]
    const isTop = part === 'config' && below.length === 0
    const isFolder = (await disk.facts(disk.join(folder, name)))?.kind === 'folder'
    if (isFolder) {
      if (!isTop || name === 'config.d') found.push(...(await listFiles(folders, part, path)))
    } else if (!isTop || isSiteConfig(name)) found.push(path)
  }
  return found
}
