import { setTimeout as sleep } from 'node:timers/promises'
import type { JobContext } from '#engine/foundation/jobs/types.ts'
import { partFiles } from '#engine/foundation/repository/backup-index.ts'
import { parsePartFile } from '#engine/foundation/repository/names.ts'
import type { BackupIndex, FileStat, IndexEntry, Repository } from '#engine/foundation/repository/types.ts'
import { AppError, isCancelled, toAppError } from '#shared/errors.ts'
import { formatDuration } from '#shared/format.ts'
import { slotFor } from '#shared/rotation.ts'

/** How a backup that a server makes is followed. */
export interface FollowOptions {
  /** Between two looks, at first; later up to ten times as long. */
  pollMs: number
  timeoutMs: number
  /** How long the server may be out of reach, or an entry's file be missing. */
  patienceMs: number
}

export const FOLLOW: FollowOptions = { pollMs: 2000, timeoutMs: 6 * 60 * 60_000, patienceMs: 10 * 60_000 }

/** What the server's folder was like before. */
export interface Before {
  index: BackupIndex
  files: Map<string, FileStat>
  /** Seconds since 1970, by the server's clock: an entry with an older time is another backup. */
  since: number
}

/** The server's own files of a backup, the one that it makes last first. */
const MAKING: [RegExp, string][] = [
  [/^(?!config-).*\.tar\.gz(?:\.enc)?$/, 'The server packs the media'],
  [/^config-.*\.tar\.gz(?:\.enc)?$/, 'The server packs the configuration'],
  [/\.sql\.gz(?:\.enc)?$/, 'The server dumps the database'],
]

/**
 * Looks at the server's folder until its index shows a backup that was not there, and the files are there too.
 * @throws AppError `server-backup-failed`, `server-backup-timeout`, `server-backup-incomplete`, those of the repository
 */
export async function followBackup(
  repository: Repository,
  site: string,
  before: Before,
  job: JobContext,
  { pollMs, timeoutMs, patienceMs }: FollowOptions,
): Promise<{ name: string; entry: IndexEntry }> {
  const started = Date.now()
  let goodAt = Date.now()
  let pause = pollMs
  const progress = progressOf(job, before.files)
  const isAbandoned = abandonment(site, before)
  for (;;) {
    await sleep(pause, undefined, { signal: job.signal })
    pause = Math.min(pause * 1.1, pollMs * 10)
    try {
      const index = await repository.readIndex()
      const files = new Map((await repository.list(job.signal)).map((file) => [file.name, file]))
      const found = newEntry(index, before)
      if (found && missingFiles(found, files).length === 0) return found
      progress(files)
      if (!found) goodAt = Date.now()
      if (found && Date.now() - goodAt > patienceMs) throw incomplete(found.name, missingFiles(found, files))
      const lost = slotsSince(site, before.since).find((name) => before.index.has(name) && !index.has(name))
      if (lost !== undefined) throw failed(site, `it took ${lost} out of its index`)
      if (isAbandoned(files) && !found) throw failed(site, 'its files went away again before its index showed it')
    } catch (error) {
      if (isCancelled(error) || job.signal.aborted) throw error
      if (error instanceof AppError && error.code.startsWith('server-backup-')) throw error
      if (Date.now() - goodAt > patienceMs) throw error
      job.log(`${toAppError(error).message} The server goes on; it is looked at again.`)
    }
    if (Date.now() - started > timeoutMs) throw tooLong(site, timeoutMs)
  }
}

function newEntry(index: BackupIndex, { index: old, since }: Before): { name: string; entry: IndexEntry } | null {
  for (const [name, entry] of index) {
    if (entry.timestamp >= since && old.get(name)?.timestamp !== entry.timestamp) return { name, entry }
  }
  return null
}

/**
 * Tells that the server took away again what it had begun to write: of a slot that was empty, its index never says that the backup
 * failed. Two looks must see it: a file that is just being encrypted or renamed may hide from one.
 */
function abandonment(site: string, { files: old, since }: Before): (files: ReadonlyMap<string, FileStat>) => boolean {
  let isBegun = false
  let looks = 0
  return (files) => {
    const slots = slotsSince(site, since)
    const isThere = [...files.values()].some(
      ({ name, version }) => slots.includes(parsePartFile(name)?.name ?? '') && old.get(name)?.version !== version,
    )
    isBegun ||= isThere
    looks = isBegun && !isThere ? looks + 1 : 0
    return looks >= 2
  }
}

/** The slots that the server may write: of the day on which it began, and of today. */
function slotsSince(site: string, since: number): string[] {
  return [new Date(since * 1000), new Date()].map((moment) => `${site}-${slotFor('server', moment)}`)
}

function missingFiles({ name, entry }: { name: string; entry: IndexEntry }, files: ReadonlyMap<string, FileStat>): string[] {
  return partFiles(name, entry)
    .filter(({ file }) => !files.get(file)?.size)
    .map(({ file }) => file)
}

/** Tells what the server is doing by the file that grows. */
function progressOf(job: JobContext, before: ReadonlyMap<string, FileStat>): (files: ReadonlyMap<string, FileStat>) => void {
  let last = before
  let phase = ''
  let told = 0
  return (files) => {
    const growing = [...files.values()].filter(({ name, version }) => last.get(name)?.version !== version)
    last = files
    for (const [pattern, text] of MAKING) {
      const file = growing.find(({ name }) => pattern.test(name))
      if (!file) continue
      if (phase !== text) {
        job.phase(text, null, 'bytes')
        phase = text
        told = 0
      }
      job.advance(Math.max(0, file.size - told))
      told = Math.max(told, file.size)
      return
    }
  }
}

function failed(site: string, how: string): AppError {
  return new AppError('server-backup-failed', `The server’s backup of ${site} failed: ${how}.`, {
    hint: 'Look into Zotonic’s log on the server. Other backups are as they were.',
    details: { site },
  })
}

function incomplete(name: string, files: string[]): AppError {
  return new AppError('server-backup-incomplete', `The server’s index shows ${name}, but ${files.join(', ')} is not there.`, {
    hint: 'Look into Zotonic’s log on the server, and whether its disk is full.',
    details: { name, files },
  })
}

function tooLong(site: string, ms: number): AppError {
  const time = formatDuration(ms / 1000)
  return new AppError('server-backup-timeout', `The server’s backup of ${site} is not in its index after ${time}.`, {
    hint: 'It may still be made: look at the list of backups later, and into Zotonic’s log on the server.',
    details: { site, milliseconds: ms },
  })
}
