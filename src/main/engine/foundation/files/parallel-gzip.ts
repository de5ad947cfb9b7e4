import { availableParallelism } from 'node:os'
import { Transform, type TransformCallback } from 'node:stream'
import { gzip } from 'node:zlib'

/** Plain bytes of one member. */
export const MEMBER_BYTES = 1024 * 1024
/** An empty member with its total: {@link closingMember}. */
export const CLOSING_BYTES = 34

const MOST_AT_ONCE = 8
/** Room for the result even when nothing can be compressed, so that one call of zlib does a member. */
const OUTPUT_BYTES = MEMBER_BYTES + MEMBER_BYTES / 64
const SUBFIELD = Buffer.from('BD')

/**
 * Compresses to gzip on all cores: independent members of 1 MiB of plain data, made by libuv's thread pool and put out in
 * order. gunzip, the server and Node read it as one file. What is under way is bounded, so memory stays flat; whoever
 * reads slowly holds the writer back. Source: docs/formats.md, "Compressed parts".
 */
export class ParallelGzip extends Transform {
  /** Bytes taken in so far. */
  plainBytes = 0
  readonly #level: number
  readonly #atOnce = Math.min(availableParallelism() + 1, MOST_AT_ONCE)
  readonly #free: Buffer[] = []
  #member: Buffer | null = null
  #used = 0
  /** Oldest first. */
  readonly #underWay: Promise<Buffer>[] = []

  /** @param level zlib's, 1 to 9 */
  constructor(level: number) {
    super({ writableHighWaterMark: MEMBER_BYTES, readableHighWaterMark: MEMBER_BYTES })
    this.#level = level
  }

  override _transform(chunk: Buffer, _encoding: BufferEncoding, done: TransformCallback): void {
    this.plainBytes += chunk.length
    this.#take(chunk).then(() => done(), done)
  }

  override _flush(done: TransformCallback): void {
    this.#end().then(() => done(), done)
  }

  async #take(chunk: Buffer): Promise<void> {
    let from = 0
    while (from < chunk.length) {
      this.#member ??= this.#free.pop() ?? Buffer.allocUnsafeSlow(MEMBER_BYTES)
      const count = chunk.copy(this.#member, this.#used, from)
      this.#used += count
      from += count
      if (this.#used < MEMBER_BYTES) continue
      this.#start()
      while (this.#underWay.length >= this.#atOnce) await this.#putOut()
    }
  }

  async #end(): Promise<void> {
    if (this.#used > 0) this.#start()
    while (this.#underWay.length > 0) await this.#putOut()
    this.push(closingMember(this.plainBytes))
  }

  #start(): void {
    const member = this.#member
    if (!member) return
    const plain = member.subarray(0, this.#used)
    this.#member = null
    this.#used = 0
    const made = compress(plain, this.#level)
    // whoever waits for it is told; until then it must not count as forgotten
    made.then(
      () => this.#free.push(member),
      () => {},
    )
    this.#underWay.push(made)
  }

  async #putOut(): Promise<void> {
    const made = await this.#underWay.shift()
    if (made) this.push(made)
  }
}

function compress(plain: Buffer, level: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    gzip(plain, { level, chunkSize: OUTPUT_BYTES }, (error, made) => (error ? reject(error) : resolve(made)))
  })
}

/**
 * Empty, as unpacking sees it. Its header's extra field tells how large the whole is unpacked, which the last member's own
 * length no longer does: 10 bytes of header, the field (XLEN 12, `BD`, 8, the total as 64 bits little endian), an empty
 * block, CRC and length of nothing.
 */
function closingMember(plainBytes: number): Buffer {
  const member = Buffer.alloc(CLOSING_BYTES)
  member.set([0x1f, 0x8b, 8, 4, 0, 0, 0, 0, 0, 0xff])
  member.writeUInt16LE(12, 10)
  SUBFIELD.copy(member, 12)
  member.writeUInt16LE(8, 14)
  member.writeBigUInt64LE(BigInt(plainBytes), 16)
  member.set([3, 0], 24)
  return member
}

/**
 * How large a gzip file is unpacked, by its last 34 bytes: exact for files of {@link ParallelGzip}; for others what gzip
 * keeps, which is the size modulo 4 GiB of the last member.
 * @param tail the last bytes, at least 8
 */
export function plainSizeByTail(tail: Buffer): { bytes: number; isExact: boolean } {
  const closing = tail.subarray(-CLOSING_BYTES)
  if (closing.length === CLOSING_BYTES) {
    const size = Number(closing.readBigUInt64LE(16))
    if (Number.isSafeInteger(size) && closingMember(size).equals(closing)) return { bytes: size, isExact: true }
  }
  return { bytes: tail.readUInt32LE(tail.length - 4), isExact: false }
}
