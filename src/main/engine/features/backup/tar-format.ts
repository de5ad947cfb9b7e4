/**
 * Tar headers as GNU tar writes them. Source: docs/formats.md, "Media archive".
 * Names are bytes: a file name on Linux need not be UTF-8.
 */

export const TAR_BLOCK = 512
/** Archives end on a multiple of this, as GNU tar's default blocking factor of 20 has it. */
export const TAR_RECORD = 20 * TAR_BLOCK

const NAME_BYTES = 100

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

/** The header of an entry: one block, with a long-name record before it when the name has more than 100 bytes. */
export function tarHeader(entry: TarEntry): Buffer {
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

function padded(size: number): number {
  return size + tarPadding(size)
}

function headerBlock(entry: TarEntry, type: string): Buffer {
  const block = Buffer.alloc(TAR_BLOCK)
  entry.name.copy(block, 0, 0, NAME_BYTES)
  writeNumber(block, 100, 8, entry.mode & 0o7777)
  writeNumber(block, 108, 8, entry.uid)
  writeNumber(block, 116, 8, entry.gid)
  writeNumber(block, 124, 12, entry.size)
  writeNumber(block, 136, 12, Math.floor(entry.modified))
  block.write(type, 156)
  block.write('ustar  \0', 257, 'latin1')
  writeText(block, 265, 32, entry.user)
  writeText(block, 297, 32, entry.group)
  block.write(`${checksum(block).toString(8).padStart(6, '0')}\0 `, 148, 'latin1')
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
export function checksum(block: Buffer): number {
  let sum = 0
  for (let i = 0; i < TAR_BLOCK; i++) sum += i >= 148 && i < 156 ? 0x20 : (block[i] ?? 0)
  return sum
}

/** The size field of a header; null when it is no number. */
export function tarSize(header: Buffer): number | null {
  if ((header[124] ?? 0) & 0x80) {
    let size = BigInt((header[124] ?? 0) & 0x7f)
    for (let i = 125; i < 136; i++) size = (size << 8n) | BigInt(header[i] ?? 0)
    return size <= BigInt(Number.MAX_SAFE_INTEGER) ? Number(size) : null
  }
  const digits = header
    .toString('latin1', 124, 136)
    .replace(/[\0 ]+$/, '')
    .trim()
  return /^[0-7]{1,12}$/.test(digits) ? Number.parseInt(digits, 8) : null
}
