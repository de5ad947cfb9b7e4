import { createHash, randomBytes } from 'node:crypto'
import { AppError } from '#shared/errors.ts'
import type { PartKind } from '#shared/model/backup.ts'

export const INDEX_FILE = 'backup.json'
/** The server's own temporary name of its index: while it is there, the server is writing. */
export const SERVER_INDEX_TEMPORARY = 'backup.json.tmp'

const PART = /^(.+)\.([A-Za-z0-9][A-Za-z0-9-]{5,63})\.part$/
const INTENT = /^(.+)\.([A-Za-z0-9][A-Za-z0-9-]{5,63})\.intent$/
/** Ids that only this program makes: of jobs (see jobs), of single writes ({@link newWriteId}), of transfers ({@link transferId}). */
const OUR_ID = /^(?:\d{8}T\d{9}-[0-9a-f]{8}|(?:zbd|xfr)-[0-9a-f]{16})$/
const TRANSFER_ID = /^xfr-[0-9a-f]{16}$/
/** What files of ours that belong to no backup begin with: the lease, and what reads the server's clock. */
export const OWN_PREFIX = '.backup-desk.'
export const LEASE_FILE = `${OWN_PREFIX}lease`
const BACKUP_FILE = /^(?:config-)?.+\.(?:sql|tar)\.gz(?:\.enc)?$/
/** Names that Windows takes for devices, whatever their extension. */
const DEVICE = /^(?:con|prn|aux|nul|com[0-9]|lpt[0-9])(?:\.|$)/i

/** Whether a text is a plain file name: no path, nothing that some system reads as something else. */
export function isPlainName(name: unknown): name is string {
  return (
    typeof name === 'string' &&
    name.length > 0 &&
    Buffer.byteLength(name) <= 255 &&
    name !== '.' &&
    name !== '..' &&
    !/[/\\:*?"<>|]/.test(name) &&
    !hasControlCharacter(name) &&
    !/[. ]$/.test(name) &&
    !DEVICE.test(name)
  )
}

function hasControlCharacter(text: string): boolean {
  for (let at = 0; at < text.length; at += 1) if (text.charCodeAt(at) < 32) return true
  return false
}

/** @throws AppError `unsafe-name` when it is not a plain file name */
export function assertPlainName(name: string): void {
  if (isPlainName(name)) return
  throw new AppError('unsafe-name', `${showName(name)} is not a plain file name. Nothing was opened or written.`, {
    hint: 'A file of a backup is named without any folder.',
    details: { name: showName(name) },
  })
}

/** An untrusted name for messages: quoted, cut, control characters escaped. */
export function showName(name: unknown): string {
  const text = typeof name === 'string' ? name : (JSON.stringify(name) ?? String(name))
  return JSON.stringify(text.length > 120 ? `${text.slice(0, 120)}…` : text)
}

/** An id for a single write of ours. */
export function newWriteId(): string {
  return `zbd-${randomBytes(8).toString('hex')}`
}

/** A file that is made to see what time the folder's clock has. */
export function clockName(): string {
  return `${OWN_PREFIX}clock-${randomBytes(8).toString('hex')}`
}

/** What makes a transfer the same one again. Where the backup goes to does not count: its parts lie there. */
export interface TransferFacts {
  name: string
  /** Unix seconds. */
  timestamp: number
  /** The repository that it comes from, see Repository.place. */
  from: string
  /** The source's files as they are now. */
  files: readonly { name: string; size: number; version: string }[]
}

/** `xfr-` and 16 hex digits: an interrupted transfer has the same id when it is tried again, a changed source gets another. */
export function transferId({ name, timestamp, from, files }: TransferFacts): string {
  const sorted = files.map((file) => [file.name, file.size, file.version]).sort(([a], [b]) => (String(a) < String(b) ? -1 : 1))
  const text = JSON.stringify([name, timestamp, from, sorted])
  return `xfr-${createHash('sha256').update(text).digest('hex').slice(0, 16)}`
}

/** Whether an id is a transfer's, whose parts are kept for the next try. */
export function isTransferId(id: string): boolean {
  return TRANSFER_ID.test(id)
}

/** `FILENAME.ID.part`: a file that is being made; ID is the job's, or of a single write. */
export function partName(finalName: string, id: string): string {
  return `${finalName}.${id}.part`
}

/** `NAME.ID.intent`: the record of a slot that is being put in place. */
export function intentName(name: string, id: string): string {
  return `${name}.${id}.intent`
}

/** What a file of ours for the making is; null: not one of ours. */
export function parseWorkName(file: string): { kind: 'part' | 'intent'; base: string; id: string } | null {
  for (const [kind, pattern] of [
    ['part', PART],
    ['intent', INTENT],
  ] as const) {
    const [, base, id] = pattern.exec(file) ?? []
    if (base === undefined || id === undefined) continue
    // `holiday.summer-2026.part` of somebody else is not ours: either the id or the name must be
    const looksOurs = OUR_ID.test(id) || (kind === 'part' && (BACKUP_FILE.test(base) || base === INDEX_FILE))
    if (looksOurs) return { kind, base, id }
  }
  return null
}

/** Whether a file is there for our work only: never listed, never a part of a backup. */
export function isOurs(file: string): boolean {
  return file.startsWith(OWN_PREFIX) || parseWorkName(file) !== null
}

/** Whether a file looks like a part of some backup, by its name. */
export function isBackupFileName(file: string): boolean {
  return BACKUP_FILE.test(file) && parseWorkName(file) === null
}

/** The file name of a part. Source: docs/formats.md, "Backup directory". */
export function partFileName(kind: PartKind, name: string, isEncrypted: boolean): string {
  const plain = kind === 'database' ? `${name}.sql.gz` : kind === 'files' ? `${name}.tar.gz` : `config-${name}.tar.gz`
  return isEncrypted ? `${plain}.enc` : plain
}

/** Whether a file can be a part of the backup NAME: a plain name that belongs to it. Anything else is never opened. */
export function belongsTo(name: string, file: unknown): file is string {
  if (!isPlainName(file) || !isPlainName(name)) return false
  if (file === INDEX_FILE || file === SERVER_INDEX_TEMPORARY || isOurs(file)) return false
  return file.startsWith(`${name}.`) || file.startsWith(`config-${name}.`)
}

/** Takes `.enc` off. */
function withoutEnc(file: string): string {
  return file.endsWith('.enc') ? file.slice(0, -4) : file
}

/** The NAME that a part's file name belongs to, and its kind; null: not a part's name. */
export function parsePartFile(file: string): { name: string; kind: PartKind; isEncrypted: boolean } | null {
  if (!isBackupFileName(file)) return null
  const isEncrypted = file.endsWith('.enc')
  const plain = withoutEnc(file)
  if (plain.endsWith('.sql.gz')) return { name: plain.slice(0, -7), kind: 'database', isEncrypted }
  const name = plain.slice(0, -7)
  if (name.startsWith('config-')) return { name: name.slice(7), kind: 'config', isEncrypted }
  return { name, kind: 'files', isEncrypted }
}
