import { Readable } from 'node:stream'
import type pg from 'pg'

// message types of PostgreSQL's protocol, version 3
const COPY_DATA = 0x64 // d
const COPY_DONE = 0x63 // c
const COPY_OUT = 0x48 // H
/** They may stand between any others: notices, parameter changes, notifications. */
const ASIDES = new Set([0x4e, 0x53, 0x41])
const HEADER = 5

/**
 * The rows of `COPY … TO STDOUT` as bytes: `client.query(new CopyOut(sql))`. While it runs it takes the socket's data before
 * pg's own parser, moves the row bytes together inside of each chunk, and pauses the socket when nobody reads. It makes no
 * object per row, which is three times as fast for small rows as pg-copy-streams, and never holds a whole row.
 *
 * Ends after the server's CopyDone; errors when the server reports one or the connection is lost. Destroying it early
 * closes the connection, because a COPY can't be stopped in any other way.
 */
export class CopyOut extends Readable {
  readonly #sql: string
  #connection: pg.Connection | null = null
  #parse: ((chunk: Buffer) => void) | null = null
  readonly #onData = (chunk: Buffer) => this.#receive(chunk)
  readonly #header = Buffer.alloc(HEADER)
  #headerLength = 0
  #type = 0
  /** Bytes of the current message that are still to come. */
  #left = 0
  #done = false

  constructor(sql: string) {
    super({ highWaterMark: 64 * 1024 })
    this.#sql = sql
  }

  /** Called by pg when it is this query's turn. */
  submit(connection: pg.Connection): void {
    const { stream } = connection
    const [parse, ...others] = stream.listeners('data')
    if (!parse || others.length > 0) throw new Error('the connection’s socket has an unexpected number of readers')
    this.#connection = connection
    this.#parse = (chunk) => parse.call(stream, chunk)
    stream.removeListener('data', parse as (chunk: Buffer) => void)
    stream.on('data', this.#onData)
    this.#restore = () => {
      stream.removeListener('data', this.#onData)
      stream.on('data', parse as (chunk: Buffer) => void)
    }
    connection.query(this.#sql)
  }

  #restore: () => void = () => {}

  /** Called by pg: an error of the server, or of the connection. */
  handleError(error: Error): void {
    this.#giveBack()
    this.destroy(error)
  }

  /** Called by pg; the end was told by CopyDone already. */
  handleCommandComplete(): void {
    if (!this.#done) this.destroy(new Error('the server ended the COPY without saying that it is complete'))
  }

  /** Called by pg. */
  handleReadyForQuery(): void {}

  override _read(): void {
    if (this.#connection && !this.#done) this.#connection.stream.resume()
  }

  override _destroy(error: Error | null, callback: (error: Error | null) => void): void {
    if (this.#connection && this.#parse) this.#connection.stream.destroy()
    callback(error)
  }

  #giveBack(): void {
    if (!this.#parse) return
    this.#parse = null
    this.#restore()
    this.#connection?.stream.resume()
  }

  #receive(chunk: Buffer): void {
    let read = 0
    let write = 0
    while (read < chunk.length) {
      if (this.#left > 0) {
        const take = Math.min(this.#left, chunk.length - read)
        if (this.#type === COPY_DATA) {
          if (write !== read) chunk.copyWithin(write, read, read + take)
          write += take
        }
        read += take
        this.#left -= take
      } else if (this.#headerLength === 0 && chunk[read] === COPY_DATA && chunk.length - read >= HEADER) {
        // the way of nearly all rows
        this.#type = COPY_DATA
        this.#left = chunk.readUInt32BE(read + 1) - 4
        read += HEADER
      } else {
        const take = Math.min(HEADER - this.#headerLength, chunk.length - read)
        chunk.copy(this.#header, this.#headerLength, read, read + take)
        this.#headerLength += take
        read += take
        if (this.#headerLength < HEADER) break
        this.#type = this.#header[0] ?? 0
        this.#left = this.#header.readUInt32BE(1) - 4
        if (this.#type !== COPY_DATA && this.#type !== COPY_OUT && !ASIDES.has(this.#type)) {
          this.#finish(chunk.subarray(0, write), chunk.subarray(read))
          return
        }
        this.#headerLength = 0
      }
    }
    if (write > 0 && !this.push(chunk.subarray(0, write))) this.#connection?.stream.pause()
  }

  /** CopyDone, or something that only pg's parser understands: an error, for one. */
  #finish(rows: Buffer, rest: Buffer): void {
    const parse = this.#parse
    const isDone = this.#type === COPY_DONE
    if (rows.length > 0) this.push(rows)
    this.#done = isDone
    this.#giveBack()
    if (isDone) this.push(null)
    // CopyDone has no content; anything else goes to the parser from its header on
    const forParser = isDone ? rest : Buffer.concat([this.#header, rest])
    if (forParser.length > 0) parse?.(forParser)
  }
}
