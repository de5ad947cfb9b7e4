import { createHash, type Hash } from 'node:crypto'
import { PassThrough, Readable } from 'node:stream'
import { AppError, toAppError } from '#shared/errors.ts'
import type { PartKind } from '#shared/model/backup.ts'
import { giveBack } from '../lent-memory.ts'
import { piecesOf, type RateLimit } from '../rate-limit.ts'
import { type Patience, Tries } from './repeating.ts'
import type { SourcePart } from './source-parts.ts'
import { type StallWatch, watchStalls } from './stall-watch.ts'
import type { Repository, SlotWriting } from './types.ts'

/** Read ahead of the target, in pieces as the source gives them. */
const AHEAD_PIECES = 16
/** Passed ahead of who looks into an encrypted part on its way. */
const AHEAD_BYTES = 1024 * 1024
/** So much of the end of what was kept must be what the source has: where a crash would have left another content. */
const COMPARED_BYTES = 1024 * 1024
/** Targets that gather bytes before they send them, or sync a whole file at its end, show no sign of life meanwhile. */
const PATIENT_FACTOR = 6

/** Reads an encrypted part on its way. @returns SHA-256 of its content; null: no password opens it */
export type ContentHash = (stored: Readable, signal: AbortSignal) => Promise<string | null>

export interface PartTransferOptions {
  from: Repository
  /** What it is copied to; `isGathering`: it takes bytes in large pieces. */
  slot: SlotWriting
  isGathering: boolean
  part: SourcePart
  limit: RateLimit
  patience: Patience
  signal: AbortSignal
  /** What is in it is hashed too, on the way. */
  contentHash: ContentHash | null
  /** @param position in the file; @param sent bytes that were read for it in this run */
  onProgress(kind: PartKind, position: number, sent: number): void
  onNote(text: string): void
}

export interface PartTransferred {
  /** Lower-case hex SHA-256 of the file as stored. */
  sha256: string
  /** Of its decrypted content; null: not asked for, or no password opens it. */
  content: string | null
  /** Bytes that were sent in this run. */
  sent: number
}

/**
 * Copies one file into a slot, byte by byte as it is, from wherever an earlier try stopped; what is repeatable is
 * repeated.
 * @throws AppError `changed-while-reading`, `cancelled`, and what the repositories throw for good
 */
export async function transferPart(options: PartTransferOptions): Promise<PartTransferred> {
  const transfer = new PartTransfer(options)
  try {
    return await transfer.run()
  } finally {
    transfer.close()
  }
}

class PartTransfer {
  readonly #options: PartTransferOptions
  #hash: Hash = createHash('sha256')
  /** Bytes of the source that went into the hash, from its start: each once, whatever is sent again. */
  #hashed = 0
  #sent = 0
  #stored = -1
  #content: ContentTap | null
  /** Why the body broke off: targets may wrap it in an error of their own. */
  #broke: unknown = null
  /** Ends the present read of the source alone; the target need not know of it. */
  #reading: AbortController | null = null

  constructor(options: PartTransferOptions) {
    this.#options = options
    this.#content = this.#newTap()
  }

  async run(): Promise<PartTransferred> {
    const { part, signal, patience, onNote } = this.#options
    const tries = new Tries({ signal, patience, onNote })
    for (;;) {
      try {
        await this.#attempt(tries)
        break
      } catch (error) {
        // reading was repeated already
        if (error === this.#broke) throw error
        await tries.failed(`Copying ${part.facts.name}`, error)
      }
    }
    const content = (await this.#content?.end()) ?? null
    return { sha256: this.#hash.digest('hex'), content, sent: this.#sent }
  }

  close(): void {
    this.#content?.close()
  }

  async #attempt(tries: Tries): Promise<void> {
    const { slot, part, patience, isGathering } = this.#options
    const { size } = part.facts
    const giveUp = new AbortController()
    const signal = AbortSignal.any([this.#options.signal, giveUp.signal])
    const patient = patience.stallMs * PATIENT_FACTOR
    const limits = { source: patience.stallMs, target: isGathering ? patient : patience.stallMs, end: patient }
    const watch = watchStalls(limits, (error, waiting) => {
      if (waiting === 'source' && this.#reading) this.#reading.abort(error)
      else giveUp.abort(error)
    })
    this.#broke = null
    try {
      watch.now('end')
      const stored = Math.min(await slot.storedBytes(part.kind), size)
      if (stored > this.#stored && this.#stored >= 0) tries.succeeded()
      this.#stored = Math.max(this.#stored, stored)
      const offset = await this.#goOnFrom(stored, signal, watch)
      if (offset === size) return
      // by pieces: a stream of bytes would put those that wait together, which costs as much as hashing them
      const body = Readable.from(this.#body(offset, signal, watch), { highWaterMark: AHEAD_PIECES })
      const onSkipped = (bytes: number) => {
        this.#sent -= bytes
      }
      try {
        // who looks into the part holds its chunks too
        const onWritten = this.#content ? undefined : giveBack
        await slot.write(part.kind, body, offset, signal, { onSkipped, onWritten })
      } finally {
        body.destroy()
      }
    } catch (error) {
      if (this.#options.signal.aborted) throw toAppError(this.#options.signal.reason)
      if (giveUp.signal.aborted) throw giveUp.signal.reason
      throw this.#broke ?? error
    } finally {
      watch.stop()
    }
  }

  /** Where to write from. What an earlier run stored is hashed again, and its end is compared with the source. */
  async #goOnFrom(stored: number, signal: AbortSignal, watch: StallWatch): Promise<number> {
    const { slot, part } = this.#options
    if (stored === 0) return 0
    const kept = await slot.readStored(part.kind, stored, signal)
    if (stored <= this.#hashed) {
      kept?.destroy()
      return stored
    }
    if (kept === null) return 0
    let tail = Buffer.alloc(0)
    let at = 0
    for await (const chunk of kept as AsyncIterable<Buffer>) {
      watch.now('target')
      await this.#see(chunk, at)
      at += chunk.length
      tail = Buffer.concat([tail, chunk])
      if (tail.length > 2 * COMPARED_BYTES) tail = tail.subarray(-COMPARED_BYTES)
    }
    tail = tail.subarray(-COMPARED_BYTES)
    if (at === stored && (await this.#isOfSource(tail, stored - tail.length, signal, watch))) {
      this.#options.onProgress(part.kind, stored, this.#sent)
      return stored
    }
    this.#options.onNote(`What was kept of ${part.facts.name} is not what the source has; it is copied anew.`)
    this.#beginAnew()
    return 0
  }

  async #isOfSource(bytes: Buffer, offset: number, signal: AbortSignal, watch: StallWatch): Promise<boolean> {
    const { from, part } = this.#options
    const { name, version } = part.facts
    watch.now('source')
    const source = await from.read(name, { offset, length: bytes.length, ifVersion: version, signal })
    let at = 0
    for await (const chunk of source as AsyncIterable<Buffer>) {
      watch.now('source')
      if (!chunk.equals(bytes.subarray(at, at + chunk.length))) return false
      at += chunk.length
    }
    return at === bytes.length
  }

  /** The rest of the source; where its connection is lost or it stalls, it is read on from there. */
  async *#body(offset: number, signal: AbortSignal, watch: StallWatch): AsyncGenerator<Buffer> {
    const { from, part, limit, patience, onNote, onProgress } = this.#options
    const { name, size } = part.facts
    const tries = new Tries({ signal, patience, onNote })
    let at = offset
    try {
      while (at < size) {
        try {
          for await (const chunk of this.#read(at, signal, watch)) {
            for (const piece of piecesOf(chunk, limit)) {
              watch.now('nothing')
              await limit.take(piece.length, signal)
              await this.#see(piece, at)
              at += piece.length
              if (at > size) throw changed(name, from)
              this.#sent += piece.length
              onProgress(part.kind, at, this.#sent)
              watch.now('target')
              yield piece
            }
            tries.succeeded()
            watch.now('source')
          }
          if (at < size) throw endedEarly(name, from, at, size)
        } catch (error) {
          watch.now('nothing')
          await tries.failed(`Reading ${name}`, error)
        }
      }
      watch.now('end')
    } catch (error) {
      this.#broke = error
      throw error
    }
  }

  async *#read(offset: number, signal: AbortSignal, watch: StallWatch): AsyncGenerator<Buffer> {
    const { from, part } = this.#options
    const reading = new AbortController()
    this.#reading = reading
    try {
      watch.now('source')
      const options = { offset, ifVersion: part.facts.version, signal: AbortSignal.any([signal, reading.signal]) }
      yield* (await from.read(part.facts.name, options)) as AsyncIterable<Buffer>
    } catch (error) {
      throw reading.signal.aborted ? reading.signal.reason : error
    } finally {
      this.#reading = null
    }
  }

  async #see(chunk: Buffer, at: number): Promise<void> {
    const fresh = chunk.subarray(Math.min(chunk.length, Math.max(0, this.#hashed - at)))
    if (fresh.length === 0) return
    this.#hash.update(fresh)
    this.#hashed += fresh.length
    await this.#content?.write(fresh)
  }

  #beginAnew(): void {
    this.#hash = createHash('sha256')
    this.#hashed = 0
    this.#content?.close()
    this.#content = this.#newTap()
  }

  #newTap(): ContentTap | null {
    const { contentHash, signal } = this.#options
    return contentHash ? new ContentTap((stored) => contentHash(stored, signal)) : null
  }
}

/** A second reader of what passes. */
class ContentTap {
  readonly #bytes = new PassThrough({ highWaterMark: AHEAD_BYTES })
  readonly #hash: Promise<string | null>

  constructor(read: (stored: Readable) => Promise<string | null>) {
    this.#bytes.on('error', () => {})
    this.#hash = read(this.#bytes)
    this.#hash.catch(() => this.close())
  }

  /** Undefined: it need not be waited for. */
  write(chunk: Buffer): Promise<void> | undefined {
    const bytes = this.#bytes
    if (bytes.destroyed || bytes.write(chunk)) return undefined
    return new Promise((resolve) => {
      const go = () => {
        bytes.off('drain', go).off('close', go)
        resolve()
      }
      bytes.once('drain', go).once('close', go)
    })
  }

  end(): Promise<string | null> {
    this.#bytes.end()
    return this.#hash
  }

  close(): void {
    this.#bytes.destroy()
  }
}

function changed(file: string, { place }: Repository): AppError {
  return new AppError(
    'changed-while-reading',
    `${file} of ${place} was changed while it was read. What was read does not count.`,
    {
      hint: 'A backup is probably being written there: try again when it is done.',
      details: { file },
    },
  )
}

function endedEarly(file: string, { place }: Repository, at: number, size: number): AppError {
  return new AppError('ended-early', `${file} of ${place} ended after ${at} of ${size} bytes.`, {
    hint: 'Try again; if it happens again, verify the backup there.',
    details: { file, at, size },
  })
}
