import { AppError } from '#shared/errors.ts'
import { ByteSource } from './byte-source.ts'

const BLOCK = 512
const ZEROS = Buffer.alloc(64 * 1024)
/** tar fills its last record up; the largest that it can be told to write has 1 MiB or so. */
const MAX_BEHIND_END = 16 * 1024 * 1024
const MAX_NAME_BYTES = 4096
const MAX_EXTENDED = 1024 * 1024
/** Extended headers in a row: a long name and a pax header are two. */
const MAX_EXTENDED_HEADERS = 4
const MAX_SIZE = 2 ** 50
/** What a `Date` can hold, either side of 1970. */
const MAX_SECONDS = 8.64e12

export interface TarEntry {
  kind: 'file' | 'folder'
  /** As it stands in the archive. */
  name: string
  /** Bytes of content; 0 for a folder. */
  size: number
  mode: number
  modified: Date
  uid: number
  gid: number
  /** Empty when not told. */
  user: string
  group: string
  /** To be read, or left, before the next entry; ends after `size` bytes or fails. */
  content: AsyncGenerator<Buffer, void, void>
}

export interface ReadTarOptions {
  /** Names as one character a byte: on Linux a name need not be UTF-8. Default: text, and other names are refused. */
  rawNames?: boolean
  /** Passes over an entry that is neither a file nor a folder; default: it is refused. @param what "symbolic link" */
  onOther?: (name: string, what: string) => void
}

/** The whole content of a small entry, in memory of its own. */
export async function wholeContent({ content, size }: Pick<TarEntry, 'content' | 'size'>): Promise<Buffer> {
  const whole = Buffer.allocUnsafe(size)
  let at = 0
  for await (const chunk of content) at += chunk.copy(whole, at)
  return whole
}

/**
 * Reads an uncompressed tar archive, ustar or GNU or pax, as a stream of files and folders in bounded memory. Anything
 * else in it is refused. Ends without an error only behind the archive's end mark. Source: docs/formats.md, "Media archive".
 * @throws AppError `archive-damaged`, `archive-cut`, `archive-refused`, and what the source throws
 */
export async function* readTar(
  source: AsyncIterable<Buffer>,
  { rawNames = false, onOther }: ReadTarOptions = {},
): AsyncGenerator<TarEntry, void, void> {
  const decode = rawNames ? decodeRaw : decodeName
  const bytes = new ByteSource(source)
  let longName: Buffer | null = null
  let pax = new Map<string, string>()
  let extended = 0
  try {
    for (;;) {
      const header = await bytes.exactly(BLOCK)
      if (!header) throw cut('its end mark is missing')
      if (isZero(header)) {
        await requireEnd(bytes)
        return
      }
      checkSum(header)
      const type = String.fromCharCode(header[156] ?? 0)
      const size = sizeOf(pax.get('size') ?? null, header)
      // K: the long target of a link that is passed over
      if (type === 'L' || type === 'x' || (type === 'K' && onOther)) {
        extended += 1
        if (size > MAX_EXTENDED || extended > MAX_EXTENDED_HEADERS) throw refused('its extended headers have no end')
        const content = await bytes.exactly(padded(size))
        if (!content) throw cut('it ends inside an entry')
        if (type === 'L') longName = untilNul(content.subarray(0, size))
        else if (type === 'x') pax = readPax(content.subarray(0, size))
        continue
      }
      const name = decode(pax.has('path') ? Buffer.from(pax.get('path') ?? '') : (longName ?? headerName(header)))
      if (onOther && /[12346]/.test(type)) {
        onOther(name, TYPES[type] ?? 'special entry')
        longName = null
        pax = new Map()
        extended = 0
        continue
      }
      if (type !== '0' && type !== '\0' && type !== '5') {
        throw refused(`"${name.slice(0, 200)}" is a ${TYPES[type] ?? 'special entry'}; only files and folders are restored`)
      }
      const kind = type === '5' || (type === '\0' && name.endsWith('/')) ? 'folder' : 'file'
      const length = kind === 'folder' ? 0 : size
      const content = readContent(bytes, length)
      yield {
        kind,
        name,
        size: length,
        mode: numberAt(header, 100, 8) & 0o7777,
        modified: timeOf(pax, header),
        uid: ownerAt(header, 108),
        gid: ownerAt(header, 116),
        user: untilNul(header.subarray(265, 297)).toString('utf8'),
        group: untilNul(header.subarray(297, 329)).toString('utf8'),
        content,
      }
      for await (const _ of content);
      longName = null
      pax = new Map()
      extended = 0
    }
  } finally {
    await bytes.close()
  }
}

const TYPES: Record<string, string> = {
  '1': 'hard link',
  '2': 'symbolic link',
  '3': 'device',
  '4': 'device',
  '6': 'pipe',
  S: 'sparse file',
}

async function* readContent(bytes: ByteSource, size: number): AsyncGenerator<Buffer, void, void> {
  for (let left = size; left > 0; ) {
    const chunk = await bytes.some(left)
    if (!chunk) throw cut('it ends inside an entry')
    left -= chunk.length
    yield chunk
  }
  const padding = padded(size) - size
  if (padding > 0 && !(await bytes.exactly(padding))) throw cut('it ends inside an entry')
}

/** Behind the first empty block: another one, then nothing but zeros. */
async function requireEnd(bytes: ByteSource): Promise<void> {
  const second = await bytes.exactly(BLOCK)
  if (!second) throw cut('its end mark is missing')
  if (!isZero(second)) throw damaged('it has a single empty block in its middle')
  let behind = 0
  for (let chunk = await bytes.some(ZEROS.length); chunk; chunk = await bytes.some(ZEROS.length)) {
    if (!isZero(chunk)) throw damaged('something follows its end')
    behind += chunk.length
    if (behind > MAX_BEHIND_END) throw refused('its end has no end')
  }
}

function padded(size: number): number {
  return Math.ceil(size / BLOCK) * BLOCK
}

function isZero(bytes: Buffer): boolean {
  return bytes.equals(ZEROS.subarray(0, bytes.length))
}

function untilNul(bytes: Buffer): Buffer {
  const end = bytes.indexOf(0)
  return end < 0 ? bytes : bytes.subarray(0, end)
}

/** ustar splits a long name in two; GNU's headers have other things where the first half would be. */
function headerName(header: Buffer): Buffer {
  const name = untilNul(header.subarray(0, 100))
  const prefix = untilNul(header.subarray(345, 500))
  const isUstar = header.toString('latin1', 257, 263) === 'ustar\0'
  return isUstar && prefix.length > 0 ? Buffer.concat([prefix, Buffer.from('/'), name]) : name
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

function decodeName(bytes: Buffer): string {
  return decodeLimited(bytes, (name) => {
    try {
      return utf8.decode(name)
    } catch {
      throw refused(`it has a name that is not valid UTF-8: ${name.toString('latin1').slice(0, 100)}`)
    }
  })
}

function decodeLimited(bytes: Buffer, decode: (name: Buffer) => string): string {
  if (bytes.length > MAX_NAME_BYTES) throw refused('it has a name of more than 4096 bytes')
  return decode(bytes)
}

function decodeRaw(bytes: Buffer): string {
  return decodeLimited(bytes, (name) => name.toString('latin1'))
}

function checkSum(header: Buffer): void {
  let sum = 0
  for (let at = 0; at < BLOCK; at += 1) sum += at >= 148 && at < 156 ? 32 : (header[at] ?? 0)
  if (numberAt(header, 148, 8) !== sum) throw damaged('a header’s sum differs')
}

function sizeOf(pax: string | null, header: Buffer): number {
  const size = pax === null ? numberAt(header, 124, 12) : Number(pax)
  if (!Number.isSafeInteger(size) || size < 0 || size > MAX_SIZE) throw refused('it has an entry of impossible size')
  return size
}

function timeOf(pax: Map<string, string>, header: Buffer): Date {
  const seconds = pax.has('mtime') ? Number(pax.get('mtime')) : secondsAt(header)
  return new Date(Number.isFinite(seconds) ? Math.max(-MAX_SECONDS, Math.min(seconds, MAX_SECONDS)) * 1000 : 0)
}

/** The one number that may be below zero: cameras and copies date files before 1970. Then it is base 256, of two's complement. */
function secondsAt(header: Buffer): number {
  return (header[136] ?? 0) >= 0xc0 ? Number(header.readBigInt64BE(140)) : numberAt(header, 136, 12)
}

/** Octal digits, or base 256 when the first bit is set. */
function numberAt(header: Buffer, from: number, length: number): number {
  const field = header.subarray(from, from + length)
  if ((field[0] ?? 0) & 0x80) {
    if (field[0] !== 0x80) throw refused('it has a number below zero')
    let value = 0
    for (const byte of field.subarray(1)) value = value * 256 + byte
    return value
  }
  const digits = field
    .toString('latin1')
    .replace(/\0[\s\S]*$/, '')
    .trim()
  if (digits === '') return 0
  if (!/^[0-7]+$/.test(digits)) throw damaged('a header has no number where one belongs')
  return Number.parseInt(digits, 8)
}

/** An owner that can't be read keeps nobody from reading the file. */
function ownerAt(header: Buffer, from: number): number {
  if ((header[from] ?? 0) & 0x80) return header.readUInt32BE(from + 4)
  return Number.parseInt(header.toString('latin1', from, from + 8), 8) || 0
}

function readPax(content: Buffer): Map<string, string> {
  const found = new Map<string, string>()
  for (let at = 0; at < content.length; ) {
    const blank = content.indexOf(32, at)
    const length = blank > at ? Number.parseInt(content.toString('latin1', at, blank), 10) : Number.NaN
    if (!Number.isSafeInteger(length) || length <= blank - at || at + length > content.length) {
      throw damaged('an extended header is broken')
    }
    const [, key, value] = /^([^=]+)=([\s\S]*)\n$/.exec(content.toString('utf8', blank + 1, at + length)) ?? []
    if (key === undefined) throw damaged('an extended header is broken')
    if (key === 'path' || key === 'size' || key === 'mtime') found.set(key, value ?? '')
    if (key.startsWith('GNU.sparse')) throw refused('it has a sparse file')
    at += length
  }
  return found
}

function damaged(what: string): AppError {
  return new AppError('archive-damaged', `The archive is damaged: ${what}.`, { hint: 'Choose another backup.' })
}

function cut(what: string): AppError {
  return new AppError('archive-cut', `The archive is cut: ${what}.`, { hint: 'Choose another backup.' })
}

function refused(what: string): AppError {
  return new AppError('archive-refused', `The archive is refused: ${what}.`, {
    hint: 'A backup by Zotonic or Backup Desk has no such entries. Choose another backup.',
  })
}
