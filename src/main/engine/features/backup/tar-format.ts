/**
 * Tar headers as GNU tar and the server write them. Source: docs/formats.md, "Media archive", "Configuration archive".
 * Names are bytes: a file name on Linux need not be UTF-8.
 */

export const TAR_BLOCK = 512
/** Archives end on a multiple of this, as GNU tar's default blocking factor of 20 has it. */
export const TAR_RECORD = 20 * TAR_BLOCK

const NAME_BYTES = 100
const PREFIX_BYTES = 155

export interface TarEntry {
  /** As in the archive: `./2026/a.jpg`, a folder with a final slash. */
  name: Buffer
  kind: 'file' | 'directory'
  /** Permission bits; other bits are dropped. */
  mode: number
  /** Bytes of content; 0 for a folder. */
  size: number
  /** Unix seconds. */
  modified: number
  uid: number
  gid: number
  /** Empty when not known. */
  user: string
  group: string
}

/** Media archives are as GNU tar writes them, configuration archives as the server does by itself: in the format of POSIX. */
export type TarFormat = 'gnu' | 'posix'

/** The header of an entry: one block, with a record for the name before it when the name does not fit. */
export function tarHeader(entry: TarEntry, format: TarFormat = 'gnu'): Buffer {
  if (format === 'posix') return posixHeader(entry)
  const type = entry.kind === 'directory' ? '5' : '0'
  const header = headerBlock(entry, type)
  if (entry.name.length <= NAME_BYTES) return header
  const longName = Buffer.alloc(padded(entry.name.length + 1))
  entry.name.copy(longName)
  const record = headerBlock(
    {
      name: Buffer.from('././@LongLink'),
      kind: 'file',
      mode: 0o644,
      size: entry.name.length + 1,
      modified: 0,
      uid: 0,
      gid: 0,
      user: 'root',
      group: 'root',
    },
    'L',
  )
  return Buffer.concat([record, longName, header])
}

/** Zero bytes that follow a content of `size` bytes. */
export function tarPadding(size: number): number {
  return (TAR_BLOCK - (size % TAR_BLOCK)) % TAR_BLOCK
}

/** A name of more than 100 bytes is cut in two at a slash, or goes into an extended header. */
function posixHeader(entry: TarEntry): Buffer {
  const type = entry.kind === 'directory' ? '5' : '0'
  const { name } = entry
  if (name.length <= NAME_BYTES) return headerBlock(entry, type, POSIX)
  for (let slash = name.indexOf('/'); slash >= 0 && slash <= PREFIX_BYTES; slash = name.indexOf('/', slash + 1)) {
    const rest = name.subarray(slash + 1)
    if (slash === 0 || rest.length === 0 || rest.length > NAME_BYTES) continue
    return headerBlock({ ...entry, name: rest }, type, { ...POSIX, prefix: name.subarray(0, slash) })
  }
  const record = paxRecord('path', name)
  const extended = { ...entry, name: Buffer.from('PaxHeader'), kind: 'file' as const, mode: 0o644, size: record.length }
  const content = Buffer.alloc(padded(record.length))
  record.copy(content)
  return Buffer.concat([headerBlock(extended, 'x', POSIX), content, headerBlock(entry, type, POSIX)])
}

/** `LENGTH KEY=VALUE`, the length counting its own digits. */
function paxRecord(key: string, value: Buffer): Buffer {
  const rest = Buffer.concat([Buffer.from(` ${key}=`), value, Buffer.from('\n')])
  let length = rest.length + 1
  while (String(length).length + rest.length !== length) length += 1
  return Buffer.concat([Buffer.from(String(length)), rest])
}

function padded(size: number): number {
  return size + tarPadding(size)
}

interface HeaderStyle {
  magic: string
  /** Of the mode: GNU tar drops the kind of file, the server keeps it. */
  modeBits: number
  sumDigits: number
  hasDevice: boolean
  prefix?: Buffer
}

const GNU: HeaderStyle = { magic: 'ustar  \0', modeBits: 0o7777, sumDigits: 6, hasDevice: false }
const POSIX: HeaderStyle = { magic: 'ustar\x0000', modeBits: 0o177777, sumDigits: 7, hasDevice: true }

function headerBlock(entry: TarEntry, type: string, style: HeaderStyle = GNU): Buffer {
  const block = Buffer.alloc(TAR_BLOCK)
  entry.name.copy(block, 0, 0, NAME_BYTES)
  writeNumber(block, 100, 8, entry.mode & style.modeBits)
  writeNumber(block, 108, 8, entry.uid)
  writeNumber(block, 116, 8, entry.gid)
  writeNumber(block, 124, 12, entry.size)
  writeNumber(block, 136, 12, Math.floor(entry.modified))
  block.write(type, 156)
  block.write(style.magic, 257, 'latin1')
  writeText(block, 265, 32, entry.user)
  writeText(block, 297, 32, entry.group)
  if (style.hasDevice) {
    writeNumber(block, 329, 8, 0)
    writeNumber(block, 337, 8, 0)
  }
  style.prefix?.copy(block, 345)
  // the field is full of blanks where the digits and their NUL do not reach
  block.write(`${checksum(block).toString(8).padStart(style.sumDigits, '0')}\0`.padEnd(8), 148, 'latin1')
  return block
}

/** Octal digits and a NUL; what does not fit (8 GB and more, before 1970) in GNU's base-256. */
function writeNumber(block: Buffer, offset: number, length: number, value: number): void {
  const octal = value >= 0 ? value.toString(8) : ''
  if (value >= 0 && octal.length < length) {
    block.write(`${octal.padStart(length - 1, '0')}\0`, offset, 'latin1')
    return
  }
  let rest = BigInt(value)
  for (let i = length - 1; i >= 0; i--) {
    block[offset + i] = Number(rest & 0xffn)
    rest >>= 8n
  }
  block[offset] = value < 0 ? 0xff : 0x80
}

function writeText(block: Buffer, offset: number, length: number, text: string): void {
  Buffer.from(text).copy(block, offset, 0, length - 1)
}

/** The sum of a header's bytes with its checksum field taken as spaces. */
function checksum(block: Buffer): number {
  let sum = 0
  for (let i = 0; i < TAR_BLOCK; i++) sum += i >= 148 && i < 156 ? 0x20 : (block[i] ?? 0)
  return sum
}
