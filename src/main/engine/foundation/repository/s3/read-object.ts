import { Readable } from 'node:stream'
import { AppError } from '#shared/errors.ts'
import type { S3Connection } from '../../connections/s3/connection.ts'
import { failureOf, isAbsent, isUnmet, TruncatedAnswer } from '../../connections/s3/errors.ts'
import { getPart } from '../../connections/s3/get-part.ts'
import type { PartFacts } from '../../connections/s3/plain-wire.ts'
import { BLOCK_BYTES, giveBack, lendBlock } from '../../lent-memory.ts'
import { changedWhileReading, notFound } from '../repository-files.ts'
import type { ReadOptions } from '../types.ts'
import { bareEtag, statObject } from './objects.ts'

const RANGE_BYTES = BLOCK_BYTES
const IN_FLIGHT = 3
/** Handed on at once, so that nobody who works through it keeps others waiting. */
const CHUNK_BYTES = 512 * 1024
const CHUNKS_AHEAD = 8
/** Less than this is not worth a block of its own. */
const SMALL_BYTES = 1024 * 1024

/** A piece of the object: what has come of it and is not handed on yet. */
interface Range {
  from: number
  /** The first byte behind it. */
  to: number
  /** null: nothing has come yet. */
  memory: Buffer | null
  received: number
  handedOn: number
  isDone: boolean
}

/**
 * Reads an object in order by several ranged requests at once, all for one version of it. A request that breaks off goes on
 * where it was. Memory is bounded by the ranges in flight; it is lent: who is done with a chunk that nobody else holds may give
 * it back.
 * @throws AppError `not-found`, `changed-while-reading`, those of the connection
 */
export async function readObject(s3: S3Connection, name: string, options: ReadOptions): Promise<Readable> {
  options.signal?.throwIfAborted()
  const reading = new ObjectReading(s3, name, options)
  await reading.opened
  return reading
}

class ObjectReading extends Readable {
  /** Settles with the first answer, which tells size and version. */
  readonly opened: Promise<void>
  readonly #s3: S3Connection
  readonly #name: string
  readonly #abort = new AbortController()
  readonly #unlink: () => void
  #version: string | undefined
  /** Where reading ends; until the first answer only what was asked for. */
  #end: number
  #next: number
  #ranges: Range[] = []
  #isWanted = false
  #soon: NodeJS.Immediate | null = null

  constructor(s3: S3Connection, name: string, { offset = 0, length, ifVersion, signal }: ReadOptions) {
    // by chunks, as they came: a stream of bytes would put together what waits, which costs as much as hashing it
    super({ objectMode: true, highWaterMark: CHUNKS_AHEAD })
    this.#s3 = s3
    this.#name = name
    this.#version = ifVersion
    this.#next = offset
    this.#end = length === undefined ? Number.POSITIVE_INFINITY : offset + length
    const onAbort = () => this.destroy(signal?.reason)
    signal?.addEventListener('abort', onAbort, { once: true })
    this.#unlink = () => signal?.removeEventListener('abort', onAbort)
    this.opened = this.#open(offset)
    // who waits for it gets the error, also when the stream is destroyed with it
    this.opened.catch((error: Error) => this.destroy(error))
    this.on('error', () => {})
  }

  override _read(): void {
    this.#isWanted = true
    this.#handOn()
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    this.#unlink()
    this.#abort.abort(error ?? undefined)
    this.#ranges = []
    callback(error)
  }

  async #open(offset: number): Promise<void> {
    if (this.#end <= offset) {
      this.#end = offset
      await this.#assertThere()
      return
    }
    await new Promise<void>((resolve, reject) => {
      this.#startRange((answer) => {
        const size = Number(/\/(\d+)$/.exec(answer.contentRange ?? '')?.[1])
        if (!Number.isSafeInteger(size)) throw noRanges(this.#s3)
        this.#version ??= bareEtag(answer.etag)
        this.#end = Math.min(this.#end, size)
        resolve()
      }).then(resolve, reject)
    })
    while (this.#ranges.length < IN_FLIGHT && this.#next < this.#end) this.#startNext()
  }

  /** Nothing is to be read, but only of a file that is there. */
  async #assertThere(): Promise<void> {
    const facts = await statObject(this.#s3, this.#name, this.#abort.signal)
    if (facts === null) throw notFound(this.#name, this.#s3.place)
    if (this.#version !== undefined && this.#version !== facts.version) throw changedWhileReading(this.#name, this.#s3.place)
  }

  #startNext(): void {
    this.#startRange().catch((error: Error) => this.destroy(error))
  }

  async #startRange(onFirstAnswer?: (answer: PartFacts) => void): Promise<void> {
    const range: Range = {
      from: this.#next,
      to: Math.min(this.#next + RANGE_BYTES, this.#end),
      memory: null,
      received: 0,
      handedOn: 0,
      isDone: false,
    }
    this.#next = range.to
    this.#ranges.push(range)
    let onAnswer = onFirstAnswer
    for (;;) {
      const before = range.received
      try {
        await this.#fetch(range, (answer) => {
          onAnswer?.(answer)
          onAnswer = undefined
          range.to = Math.min(range.to, this.#end)
        })
        break
      } catch (error) {
        // a line that brings something now and then brings all in the end
        if (this.destroyed || range.received === before || !isPassingError(error)) throw error
      }
    }
    range.isDone = true
    this.#handOn()
  }

  async #fetch(range: Range, onAnswer: (answer: PartFacts) => void): Promise<void> {
    const { signal } = this.#abort
    try {
      await this.#s3.send(
        `read ${this.#name}`,
        async (sending) => {
          const from = range.from + range.received
          if (range.received > 0 && from >= range.to) return
          const input = {
            Bucket: this.#s3.bucket,
            Key: this.#s3.keyOf(this.#name),
            Range: `bytes=${from}-${range.to - 1}`,
            ...(this.#version === undefined ? {} : { IfMatch: `"${this.#version}"` }),
          }
          await getPart(this.#s3, sending, input, {
            begin: (facts) => {
              if (!facts.contentRange?.startsWith(`bytes ${from}-`)) throw noRanges(this.#s3)
              onAnswer(facts)
            },
            space: () => {
              const bytes = range.to - range.from
              // it was not asked for more
              if (range.received >= bytes) throw noRanges(this.#s3)
              range.memory ??= bytes > SMALL_BYTES ? lendBlock() : Buffer.allocUnsafeSlow(bytes)
              return range.memory.subarray(range.received, bytes)
            },
            took: (bytes) => {
              range.received += bytes
              if (this.#ranges[0] === range) this.#handOnSoon()
            },
          })
          const missing = range.to - range.from - range.received
          if (missing !== 0) throw new TruncatedAnswer(`${missing} bytes of ${this.#name} did not come`)
        },
        { signal, isExpected: (failure) => isUnmet(failure) || isAbsent(failure) || failure.status === 416 },
      )
    } catch (error) {
      if (error instanceof AppError || signal.aborted) throw error
      const failure = failureOf(error)
      if (isAbsent(failure) && this.#version === undefined) throw notFound(this.#name, this.#s3.place)
      if (failure.status !== 416 || range.received > 0) throw changedWhileReading(this.#name, this.#s3.place)
      // nothing is there at all, or nothing behind the offset
      await this.#assertThere()
      this.#end = range.from
      range.to = range.from
    }
  }

  /** What comes in many small pieces at a time, as by TLS, is handed on together. */
  #handOnSoon(): void {
    this.#soon ??= setImmediate(() => {
      this.#soon = null
      this.#handOn()
    })
  }

  /** Gives the reader what has come, in order, and asks for more. */
  #handOn(): void {
    for (;;) {
      const head = this.#ranges[0]
      if (head === undefined || !this.#isWanted) break
      if (head.memory && head.handedOn < head.received) {
        const chunk = head.memory.subarray(head.handedOn, Math.min(head.received, head.handedOn + CHUNK_BYTES))
        head.handedOn += chunk.length
        this.#isWanted = this.push(chunk)
        continue
      }
      if (!head.isDone) return
      if (head.memory) giveBack(head.memory.subarray(head.received))
      this.#ranges.shift()
      if (this.#next < this.#end) this.#startNext()
    }
    if (this.#isWanted && this.#ranges.length === 0 && this.#next >= this.#end && !this.destroyed) {
      this.#isWanted = false
      this.push(null)
    }
  }
}

function isPassingError(error: unknown): boolean {
  return error instanceof AppError && ['filestore-unreachable', 'filestore-busy'].includes(error.code)
}

function noRanges(s3: S3Connection): AppError {
  return new AppError(
    'filestore-error',
    `The filestore ${s3.host} does not send parts of files as it was asked to, so nothing was read.`,
    {
      hint: 'Is the endpoint an S3-compatible server?',
      details: { place: s3.place },
    },
  )
}
