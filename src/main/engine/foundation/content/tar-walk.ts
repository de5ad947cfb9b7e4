import { formatBytes, formatPlural } from '#shared/format.ts'
import { type ContentCheck, ContentProblem } from './content-problem.ts'

const BLOCK = 512
/** Extended headers hold a path and some numbers; more is an attack. */
const MAX_EXTENDED = 1024 * 1024
/** Far above any media archive, far below where sums of sizes lose precision. */
const MAX_SIZE = 2 ** 50

/**
 * Walks a tar archive from header to header to its two zero blocks. Checks every header's sum and that nothing
 * follows the end. Names are not looked at: nothing is written here. Source: docs/formats.md, "Media archive".
 */
export class TarWalk implements ContentCheck {
  readonly #header = Buffer.alloc(BLOCK)
  #filled = 0
  /** Bytes of content, padding included, up to the next header. */
  #skip = 0
  #zeroBlocks = 0
  /** An extended header whose content is being gathered. */
  #extended: { chunks: Buffer[]; left: number } | null = null
  /** The size that a pax header gave for the next entry. */
  #nextSize: number | null = null
  /** A sparse file's header goes on in further blocks. */
  #isSparse = false
  #entries = 0
  #bytes = 0

  write(chunk: Buffer): void {
    let at = 0
    while (at < chunk.length) {
      if (this.#skip > 0) {
        const taken = Math.min(this.#skip, chunk.length - at)
        this.#gather(chunk.subarray(at, at + taken))
        this.#skip -= taken
        at += taken
        continue
      }
      const taken = Math.min(BLOCK - this.#filled, chunk.length - at)
      chunk.copy(this.#header, this.#filled, at, at + taken)
      this.#filled += taken
      at += taken
      if (this.#filled === BLOCK) {
        this.#filled = 0
        this.#readBlock()
      }
    }
  }

  end(): string {
    if (this.#skip > 0 || this.#filled > 0 || this.#isSparse) throw new ContentProblem('the archive is cut inside an entry')
    if (this.#zeroBlocks < 2) throw new ContentProblem('the archive is cut: its end mark is missing')
    return `${formatPlural(this.#entries, 'entry', 'entries')}, ${formatBytes(this.#bytes)}`
  }

  #gather(content: Buffer): void {
    if (!this.#extended) return
    const part = content.subarray(0, this.#extended.left)
    this.#extended.chunks.push(Buffer.from(part))
    this.#extended.left -= part.length
    if (this.#extended.left > 0) return
    this.#nextSize = paxSize(Buffer.concat(this.#extended.chunks)) ?? this.#nextSize
    this.#extended = null
  }

  #readBlock(): void {
    const header = this.#header
    if (this.#isSparse) {
      this.#isSparse = header[504] === 1
      return
    }
    if (header.every((byte) => byte === 0)) {
      this.#zeroBlocks += 1
      return
    }
    if (this.#zeroBlocks >= 2) throw new ContentProblem('the archive has something after its end')
    if (this.#zeroBlocks === 1) throw new ContentProblem('the archive has a single empty block in its middle')
    if (numberAt(header, 148, 8) !== checksum(header)) {
      throw new ContentProblem(`the archive’s header ${this.#entries + 1} is damaged (its sum differs)`)
    }
    this.#enter(String.fromCharCode(header[156] ?? 0))
  }

  #enter(type: string): void {
    const size = this.#sizeOf(type)
    this.#skip = Math.ceil(size / BLOCK) * BLOCK
    if (type === 'x' || type === 'g' || type === 'L' || type === 'K') {
      if (size > MAX_EXTENDED) throw new ContentProblem('the archive has an extended header of impossible size')
      if (type === 'x' && size > 0) this.#extended = { chunks: [], left: size }
      return
    }
    this.#isSparse = type === 'S' && this.#header[482] === 1
    this.#entries += 1
    this.#bytes += size
  }

  #sizeOf(type: string): number {
    const isExtended = type === 'x' || type === 'g' || type === 'L' || type === 'K'
    const given = isExtended ? null : this.#nextSize
    if (!isExtended) this.#nextSize = null
    // links, devices and folders have no content, whatever their size field says
    if (/[1-6]/.test(type)) return 0
    const size = given ?? numberAt(this.#header, 124, 12)
    if (size === null || size < 0 || size > MAX_SIZE) throw new ContentProblem('the archive has an entry of impossible size')
    return size
  }
}

/** A number field: octal digits, or base 256 when its first bit is set. null: neither. */
function numberAt(header: Buffer, from: number, length: number): number | null {
  const field = header.subarray(from, from + length)
  const first = field[0] ?? 0
  if (first & 0x80) {
    // the sizes we accept fit in the last seven bytes
    if (first !== 0x80 || field.subarray(1, -7).some((byte) => byte !== 0)) return null
    let value = 0
    for (const byte of field.subarray(-7)) value = value * 256 + byte
    return value
  }
  const digits = field
    .toString('latin1')
    .replace(/[\0 ]+$/, '')
    .trimStart()
  if (digits === '') return 0
  return /^[0-7]+$/.test(digits) ? Number.parseInt(digits, 8) : null
}

/** The sum of a header's bytes, its own sum field taken as blanks. */
function checksum(header: Buffer): number {
  let sum = 0
  for (const [at, byte] of header.entries()) sum += at >= 148 && at < 156 ? 32 : byte
  return sum
}

/** The `size` record of a pax header; null: it has none. */
function paxSize(content: Buffer): number | null {
  let at = 0
  let size: number | null = null
  while (at < content.length) {
    const blank = content.indexOf(32, at)
    const length = blank > at ? Number.parseInt(content.toString('latin1', at, blank), 10) : Number.NaN
    if (!Number.isSafeInteger(length) || length <= blank - at || at + length > content.length) {
      throw new ContentProblem('the archive has a damaged extended header')
    }
    const record = content.toString('utf8', blank + 1, at + length - 1)
    if (record.startsWith('size=')) {
      size = Number(record.slice(5))
      if (!Number.isSafeInteger(size) || size < 0 || size > MAX_SIZE)
        throw new ContentProblem('the archive has an entry of impossible size')
    }
    at += length
  }
  return size
}
