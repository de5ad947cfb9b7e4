import type { FileHandle } from 'node:fs/promises'
import { writeAll } from './write-all.ts'

/** More than this waits for no disk. */
const WAITING_BYTES = 2 * 1024 * 1024
/** Written at once. Linux looks for memory in one piece for a larger write, and on some machines that takes ten times as long. */
const BATCH_BYTES = 512 * 1024
/** So often the disk is told to begin writing, so that the last sync has little left to do. */
const SYNC_BYTES = 64 * 1024 * 1024

/** Writes chunks one after the other, and those that came while the disk was busy together. */
export class GatheredWrites {
  readonly #handle: FileHandle
  readonly #onWritten: ((chunk: Uint8Array) => void) | undefined
  #position: number
  #waiting: Uint8Array[] = []
  #waitingBytes = 0
  #writing: Promise<void> | null = null
  /** What is being written together. */
  #batch: Promise<void> | null = null
  #syncing: Promise<void> | null = null
  #unsynced = 0
  #error: unknown = null

  /**
   * @param position where the first chunk goes
   * @param onWritten told of each chunk that is not needed here any more
   */
  constructor(handle: FileHandle, position: number, onWritten?: (chunk: Uint8Array) => void) {
    this.#handle = handle
    this.#onWritten = onWritten
    this.#position = position
  }

  /** Where the next chunk goes. */
  get position(): number {
    return this.#position + this.#waitingBytes
  }

  /** Takes a chunk; waits when the disk is behind. Undefined: it need not be waited for. @throws what the disk said of an earlier one */
  write(chunk: Uint8Array): Promise<void> | undefined {
    if (this.#error !== null) throw this.#error
    this.#waiting.push(chunk)
    this.#waitingBytes += chunk.length
    this.#writing ??= this.#writeWaiting()
    return this.#waitingBytes > WAITING_BYTES ? this.#room() : undefined
  }

  /** Everything is written; nothing is under way any more, also when it throws. @throws what the disk said */
  async end(): Promise<void> {
    while (this.#writing) await this.#writing
    await this.#syncing
    if (this.#error !== null) throw this.#error
  }

  /** Until there is room again, not until nothing waits: the disk always has something to do. */
  async #room(): Promise<void> {
    while (this.#writing && this.#waitingBytes > WAITING_BYTES) await this.#batch
    if (this.#error !== null) throw this.#error
  }

  async #writeWaiting(): Promise<void> {
    try {
      while (this.#waiting.length > 0 && this.#error === null) {
        const { chunks, bytes } = this.#next()
        this.#batch = this.#writeChunks(chunks, bytes)
        await this.#batch
        if (this.#onWritten) for (const chunk of chunks) this.#onWritten(chunk)
        this.#position += bytes
        this.#waitingBytes -= bytes
        this.#unsynced += bytes
        if (this.#unsynced >= SYNC_BYTES && !this.#syncing) this.#sync()
      }
    } catch (error) {
      this.#error = error
    } finally {
      this.#writing = null
    }
  }

  /** As much of what waits as is written at once, and one chunk at least. */
  #next(): { chunks: Uint8Array[]; bytes: number } {
    let bytes = 0
    let count = 0
    for (const { length } of this.#waiting) {
      if (count > 0 && bytes + length > BATCH_BYTES) break
      bytes += length
      count += 1
    }
    return { chunks: this.#waiting.splice(0, count), bytes }
  }

  async #writeChunks(chunks: Uint8Array[], bytes: number): Promise<void> {
    const { bytesWritten } = await this.#handle.writev(chunks, this.#position)
    if (bytesWritten === bytes) return
    // a nearly full disk takes only some of it; the rest tells why
    const rest = Buffer.concat(chunks).subarray(bytesWritten)
    await writeAll(this.#handle, rest, this.#position + bytesWritten)
  }

  #sync(): void {
    this.#unsynced = 0
    this.#syncing = this.#handle
      .datasync()
      .catch((error: unknown) => {
        this.#error ??= error
      })
      .finally(() => {
        this.#syncing = null
      })
  }
}
