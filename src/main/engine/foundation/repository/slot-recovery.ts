import { readIndexFile } from './index-file.ts'
import { isOurs, isTransferId, LEASE_FILE, OWN_PREFIX, parseWorkName } from './names.ts'
import type { RepositoryFiles } from './repository-files.ts'
import { isOutrun, partsFit, readIntent, rollBack, rollForward } from './slot-intent.ts'
import type { FileStat } from './types.ts'

export interface RecoveryOptions {
  /** The id of a job or transfer whose part files are left alone; a job's record too. */
  except?: string
  /**
   * False: the id is of another home folder's job, which may run on another computer; its files are left until nobody
   * wrote to them for a day. Default: all are ours.
   */
  isOurJob?: (id: string) => Promise<boolean>
  /** The lease that all computers share is held: whoever left a record is dead, wherever it ran. */
  isLeased?: boolean
}

export interface Recovered {
  /** NAMEs of slots that were finished. */
  finished: string[]
  /** Files of interrupted work that were removed. */
  removed: string[]
}

const FOREIGN_AGE_MS = 24 * 3600 * 1000
/** Single writes do not tell whose they are; they are short, and a long one keeps changing its file. */
const WRITE_AGE_MS = 60_000
/** What an interrupted transfer has stored waits so long for the next try. */
const TRANSFER_AGE_MS = 7 * FOREIGN_AGE_MS

/**
 * Clears up after jobs that died: a slot whose parts are all whole is finished; otherwise its parts are removed. Never
 * removes a file that the index names, nor parts of a transfer that may still go on. Call it when no live job writes
 * in the folder (its site's lock or lease is held). A missing folder needs nothing.
 * @throws AppError `index-corrupt`, `index-busy`: the record stays for the next try
 */
export async function recoverSlots(files: RepositoryFiles, options: RecoveryOptions = {}): Promise<Recovered> {
  const recovered: Recovered = { finished: [], removed: [] }
  const ours = (await files.list()).filter(({ name }) => isOurs(name) && name !== LEASE_FILE)
  if (ours.length === 0) return recovered
  const leftovers = ours.flatMap((facts) => {
    const work = parseWorkName(facts.name)
    return work ? [{ facts, ...work }] : []
  })
  const now = await files.now()
  for (const work of leftovers.filter(({ kind }) => kind === 'intent')) {
    if (!(await isRecordLeft(work, { files, options, now }))) continue
    const intent = await readIntent(files, work.facts.name)
    if (!intent) continue
    // meanwhile the slot may have got a newer backup, whose files must not be overwritten
    const present = (await readIndexFile(files)).document.entries.get(work.base)
    if (!isOutrun(intent, present) && (await partsFit(files, intent))) {
      await rollForward(files, intent)
      recovered.finished.push(intent.name)
    } else {
      await rollBack(files, intent)
      recovered.removed.push(work.facts.name)
    }
  }
  for (const work of leftovers.filter(({ kind }) => kind === 'part')) {
    if (!(await isPartLeft(work, { options, now }))) continue
    // a record that was finished or taken back just now has taken its parts with it
    if ((await files.stat(work.facts.name)) === null) continue
    await files.remove(work.facts.name)
    recovered.removed.push(work.facts.name)
  }
  for (const { name, modified } of ours.filter((file) => file.name.startsWith(OWN_PREFIX))) {
    if (now - modified.getTime() > FOREIGN_AGE_MS) await files.remove(name)
  }
  await files.sync()
  return recovered
}

interface Leftover {
  facts: FileStat
  id: string
}

async function isRecordLeft(
  { facts, id }: Leftover,
  { files, options, now }: { files: RepositoryFiles; options: RecoveryOptions; now: number },
): Promise<boolean> {
  if (isTransferId(id))
    return options.isLeased === true || files.owner === 'home' || now - facts.modified.getTime() > FOREIGN_AGE_MS
  return id !== options.except && (options.isLeased === true || (await isCleared({ facts, id }, { options, now })))
}

async function isPartLeft({ facts, id }: Leftover, at: { options: RecoveryOptions; now: number }): Promise<boolean> {
  if (id === at.options.except) return false
  if (isTransferId(id)) return at.now - facts.modified.getTime() > TRANSFER_AGE_MS
  return isCleared({ facts, id }, at)
}

async function isCleared(
  { facts, id }: Leftover,
  { options: { isOurJob }, now }: { options: RecoveryOptions; now: number },
): Promise<boolean> {
  const isWrite = id.startsWith('zbd-')
  if (!isOurJob || (!isWrite && (await isOurJob(id)))) return true
  return now - facts.modified.getTime() > (isWrite ? WRITE_AGE_MS : FOREIGN_AGE_MS)
}
