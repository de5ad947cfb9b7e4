import { createHash } from 'node:crypto'
import { readdir, readFile, rename, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'

interface Entry {
  timestamp: number
  database?: string | null
  database_hash?: string | null
  config_files?: string | null
  config_files_hash?: string | null
}

/** What a poll of the standby came to. */
export interface Poll {
  /** NAMEs whose files were fetched and fitted. */
  fetched: string[]
  /** Files whose hash did not fit, or that were not there. */
  refused: string[]
  /** The newest entry, which it imports; null: nothing whole. */
  imported: { name: string; timestamp: number; database: Buffer; config: Buffer | null } | null
}

/**
 * A standby server, written from docs/formats.md ("Standby") with nothing of the program in it: fetches the index; for each
 * entry that is new, changed, or whose files are missing database and configuration, as FILE.tmp, renamed when the hash of
 * the file fits; then takes over the index and imports the newest entry.
 * @param fetchFile reads a file of the filestore's `backup/`; null: there is none
 */
export async function pollAsStandby(folder: string, fetchFile: (file: string) => Promise<Buffer | null>): Promise<Poll> {
  const index = JSON.parse(String(await fetchFile('backup.json'))) as Record<string, Entry>
  const known = await readFile(join(folder, 'backup.json'), 'utf8').then(
    (text) => JSON.parse(text) as Record<string, Entry>,
    () => ({}) as Record<string, Entry>,
  )
  const present = new Set(await readdir(folder))
  const poll: Poll = { fetched: [], refused: [], imported: null }
  const whole: Record<string, Entry> = {}
  for (const [name, entry] of Object.entries(index)) {
    const parts = [
      [entry.database, entry.database_hash],
      [entry.config_files, entry.config_files_hash],
    ].filter((part): part is [string, string | null | undefined] => typeof part[0] === 'string')
    const isChanged = JSON.stringify(known[name]) !== JSON.stringify(entry)
    let isWhole = true
    for (const [file, hash] of parts) {
      if (!isChanged && present.has(file)) continue
      const bytes = await fetchFile(file)
      const isFitting = bytes !== null && createHash('sha256').update(bytes).digest('hex') === hash
      if (!isFitting) {
        poll.refused.push(file)
        isWhole = false
        continue
      }
      await writeFile(join(folder, `${file}.tmp`), bytes)
      await rename(join(folder, `${file}.tmp`), join(folder, file))
    }
    if (!isWhole) continue
    whole[name] = entry
    if (isChanged) poll.fetched.push(name)
  }
  await writeFile(join(folder, 'backup.json'), JSON.stringify(whole))
  for (const file of present) if (file.endsWith('.tmp')) await rm(join(folder, file), { force: true })
  const [newest] = Object.entries(whole).sort(([, a], [, b]) => b.timestamp - a.timestamp)
  if (newest) {
    const [name, { timestamp, database, config_files }] = newest
    const read = (file: string) => readFile(join(folder, file))
    if (typeof database === 'string') {
      const config = typeof config_files === 'string' ? await read(config_files) : null
      poll.imported = { name, timestamp, database: await read(database), config }
    }
  }
  return poll
}
