import { Readable } from 'node:stream'
import { GetObjectCommand, type GetObjectCommandOutput } from '@aws-sdk/client-s3'
import { AppError } from '#shared/errors.ts'
import type { S3Connection } from '../../connections/s3/connection.ts'
import { failureOf, isAbsent, isUnmet, TruncatedAnswer } from '../../connections/s3/errors.ts'
import { changedWhileReading, notFound } from '../repository-files.ts'
import type { ReadOptions } from '../types.ts'
import { bareEtag, statObject } from './objects.ts'

const RANGE_BYTES = 8 * 1024 * 1024
const IN_FLIGHT = 4
const CHUNKS_AHEAD = 16

/** A piece of the object: what has come of it and is not handed on yet. */
interface Range {
  from: number
  /** The first byte behind it. */
  to: number
  chunks: Buffer[]
  received: number
  isDone: boolean
}

/**
 * Reads an object in order by several ranged requests at once, all for one version of it. A request that breaks off goes on
 * where it was. Memory is bounded by the ranges in flight.
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
        const size = Number(/\/(\d+)$/.exec(answer.ContentRange ?? '')?.[1])
        if (!Number.isSafeInteger(size)) throw noRanges(this.#s3)
        this.#version ??= bareEtag(answer.ETag)
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

  async #startRange(onFirstAnswer?: (answer: GetObjectCommandOutput) => void): Promise<void> {
    const range: Range = {
      from: this.#next,
      to: Math.min(this.#next + RANGE_BYTES, this.#end),
      chunks: [],
      received: 0,
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

  async #fetch(range: Range, onAnswer: (answer: GetObjectCommandOutput) => void): Promise<void> {
    const { signal } = this.#abort
    try {
      await this.#s3.send(
        `read ${this.#name}`,
        async ({ client, options }) => {
          const from = range.from + range.received
          if (range.received > 0 && from >= range.to) return
          const answer = await client.send(
            new GetObjectCommand({
              Bucket: this.#s3.bucket,
              Key: this.#s3.keyOf(this.#name),
              Range: `bytes=${from}-${range.to - 1}`,
              ...(this.#version === undefined ? {} : { IfMatch: `"${this.#version}"` }),
            }),
            options,
          )
          if (!answer.ContentRange?.startsWith(`bytes ${from}-`)) throw noRanges(this.#s3)
          onAnswer(answer)
          await received(answer.Body as Readable, (chunk) => {
            // a server that sends more than it was asked for could fill the memory
            if (range.received + chunk.length > range.to - range.from) throw noRanges(this.#s3)
            range.chunks.push(chunk)
            range.received += chunk.length
            if (this.#ranges[0] === range) this.#handOn()
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

  /** Gives the reader what has come, in order, and asks for more. */
  #handOn(): void {
    for (;;) {
      const head = this.#ranges[0]
      if (head === undefined || !this.#isWanted) break
      const chunk = head.chunks.shift()
      if (chunk !== undefined) {
        this.#isWanted = this.push(chunk)
        continue
      }
      if (!head.isDone) return
      this.#ranges.shift()
      if (this.#next < this.#end) this.#startNext()
    }
    if (this.#isWanted && this.#ranges.length === 0 && this.#next >= this.#end && !this.destroyed) {
      this.#isWanted = false
      this.push(null)
    }
  }
}

/** Takes a body as it comes: by events, which cost half of what an async loop does for each chunk. */
function received(body: Readable, onChunk: (chunk: Buffer) => void): Promise<void> {
  return new Promise((resolve, reject) => {
    body.once('end', resolve).once('error', reject)
    body.on('data', (chunk: Buffer) => {
      try {
        onChunk(chunk)
      } catch (error) {
        body.destroy(error as Error)
      }
    })
    body.once('close', () => reject(new TruncatedAnswer('the answer broke off')))
  })
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
