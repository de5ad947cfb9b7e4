import { setImmediate as nextTurn } from 'node:timers/promises'
import { cutError, type ScriptPlace, scriptError } from './errors.ts'
import { BYTE, BYTE_CLASS, CLASS, countLines } from './lexical.ts'
import { isCopyFromStdin } from './sql-tokens.ts'
import { StatementScanner } from './statement-scanner.ts'

/** No statement of a dump is larger; the rows of COPY are no statement. */
const MAX_STATEMENT = 16 * 1024 * 1024
const PIECE = 256 * 1024
const TURN_MS = 15
const MAX_COPY_HEADER = 1024 * 1024
const COMPLETION = '-- PostgreSQL database dump complete'
const END_OF_ROWS = Buffer.from('\n\\.')

export interface ScriptStatement extends ScriptPlace {
  kind: 'statement'
  /** Up to its semicolon, which is left out; without the comments before it. */
  text: string
}

export interface ScriptCopy extends ScriptPlace {
  kind: 'copy'
  /** `COPY … FROM stdin`. */
  text: string
  /** The rows as they stand in the script, without the line that ends them. To be read before the next item. */
  rows: AsyncGenerator<Buffer>
  /** Rows read so far: one a line. */
  rowCount(): number
}

export type ScriptItem = ScriptStatement | ScriptCopy

export interface ScriptOptions {
  /** Largest statement in bytes. */
  maxStatement?: number
  /** Told the bytes of each piece that was taken from the source. */
  onBytes?: (bytes: number) => void
  /** Told when it begins with `\restrict`, which psql must know to run it. */
  onRestrict?: () => void
}

/**
 * Reads a plain dump of pg_dump 13 to 18 as a stream of statements and rows, in bounded memory. Source:
 * docs/formats.md, "Dumps".
 *
 * The items end without an error only when the script is whole: nothing was open at its end, and its completion line
 * came after the last statement.
 * @throws AppError `dump-cut`, `statement-too-big`, `script-backslash`, `script-nul`, `script-token`,
 * `script-encoding`, `script-after-end`, and what the source throws
 */
export async function* readScript(
  source: AsyncIterable<Buffer>,
  options: ScriptOptions = {},
): AsyncGenerator<ScriptItem, void, void> {
  const reader = new ScriptReader(source, options)
  try {
    for (;;) {
      const item = await reader.next()
      if (!item) return
      yield item
    }
  } finally {
    await reader.close()
  }
}

class ScriptReader {
  readonly #source: AsyncIterator<Buffer>
  readonly #maxStatement: number
  readonly #onBytes: (bytes: number) => void
  readonly #onRestrict: () => void
  readonly #scanner = new StatementScanner()
  #chunk: Buffer = Buffer.alloc(0)
  #at = 0
  /** What the source gave and was not yet cut into pieces. */
  #rest: Buffer = Buffer.alloc(0)
  /** Offset in the script of the chunk's first byte, and the line of `#counted`. */
  #offset = 0
  #line = 1
  #counted = 0
  #parts: Buffer[] = []
  #gathered = 0
  #startPlace: ScriptPlace = { line: 1, offset: 0 }
  #key: string | null = null
  #isUnrestricted = false
  #isComplete = false
  #copy: AsyncGenerator<Buffer> | null = null
  #lastTurn = performance.now()
  readonly #decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true })

  constructor(source: AsyncIterable<Buffer>, options: ScriptOptions) {
    this.#source = source[Symbol.asyncIterator]()
    this.#maxStatement = options.maxStatement ?? MAX_STATEMENT
    this.#onBytes = options.onBytes ?? (() => {})
    this.#onRestrict = options.onRestrict ?? (() => {})
  }

  async next(): Promise<ScriptItem | null> {
    if (this.#copy) for await (const _ of this.#copy);
    for (;;) {
      let began = this.#scanner.start >= 0
      const stop = this.#scanner.scan(this.#chunk, this.#at, (at) => this.#placeOf(at))
      if (this.#scanner.tookBack) {
        this.#parts = []
        this.#gathered = 0
        this.#scanner.tookBack = false
        began = false
      }
      if (!began && this.#scanner.start >= 0) this.#startPlace = this.#placeOf(this.#scanner.start)
      if (stop.kind === 'end-of-chunk') {
        this.#gather()
        if (await this.#fill()) continue
        return this.#finish()
      }
      if (stop.kind === 'statement') {
        const item = await this.#takeStatement(stop.at)
        if (item) return item
        continue
      }
      this.#at = stop.at
      if (stop.kind === 'comment') {
        if (stop.text === COMPLETION) this.#isComplete = true
      } else this.#meta(stop.text)
    }
  }

  async close(): Promise<void> {
    await this.#source.return?.()
  }

  /** Keeps the chunk's part of an unfinished statement. */
  #gather(): void {
    const { start } = this.#scanner
    if (start < 0) {
      this.#parts = []
      this.#gathered = 0
    } else {
      this.#parts.push(this.#chunk.subarray(start))
      this.#gathered += this.#chunk.length - start
      this.#checkSize(this.#gathered)
      this.#scanner.start = 0
    }
  }

  #checkSize(bytes: number): void {
    if (bytes > this.#maxStatement) {
      throw scriptError('statement-too-big', `a statement of more than ${this.#maxStatement} bytes`, this.#startPlace)
    }
  }

  async #takeStatement(at: number): Promise<ScriptItem | null> {
    const last = this.#chunk.subarray(this.#scanner.start, at - 1)
    this.#checkSize(this.#gathered + last.length)
    const text = this.#decode(this.#parts.length === 0 ? last : Buffer.concat([...this.#parts, last]))
    const place = this.#startPlace
    this.#parts = []
    this.#gathered = 0
    this.#scanner.reset()
    this.#at = at
    if (text === '') return null
    if (this.#isComplete) throw scriptError('script-after-end', 'something follows the completion line', place)
    if (text.length > MAX_COPY_HEADER || !isCopyFromStdin(text)) return { kind: 'statement', text, ...place }
    await this.#skipLine()
    let count = 0
    const rows = this.#readRows((lines) => {
      count += lines
    })
    this.#copy = rows
    return { kind: 'copy', text, ...place, rows, rowCount: () => count }
  }

  #decode(bytes: Buffer): string {
    try {
      return this.#decoder.decode(bytes)
    } catch {
      throw scriptError('script-encoding', 'a statement is not valid UTF-8', this.#startPlace)
    }
  }

  #meta(text: string): void {
    const [, command, key] = /^\\(restrict|unrestrict) ([A-Za-z0-9]{1,200})\r?$/.exec(text) ?? []
    const place = this.#placeOf(this.#at)
    const isRestrict = command === 'restrict' && this.#key === null && !this.#isComplete
    const isUnrestrict = command === 'unrestrict' && this.#key === key && !this.#isUnrestricted
    if (key === undefined || !(isRestrict || isUnrestrict)) {
      throw scriptError('script-backslash', 'a command for psql (it begins with a backslash), which is not run', place)
    }
    if (isRestrict) {
      this.#key = key
      this.#onRestrict()
    } else this.#isUnrestricted = true
  }

  /** The rest of the line that COPY stands on: rows begin on the next. */
  async #skipLine(): Promise<void> {
    for (;;) {
      for (; this.#at < this.#chunk.length; this.#at += 1) {
        const byte = this.#chunk[this.#at] ?? 0
        if (byte === BYTE.newline) {
          this.#at += 1
          return
        }
        if (BYTE_CLASS[byte] !== CLASS.space) {
          throw scriptError('script-token', 'something follows COPY on its line', this.#placeOf(this.#at))
        }
      }
      if (!(await this.#fill())) throw cutError('inside the rows of a table', this.#placeOf(this.#at))
    }
  }

  async *#readRows(onLines: (lines: number) => void): AsyncGenerator<Buffer> {
    let isLineStart = true
    for (;;) {
      const { end, after, isEnd } = findEndOfRows(this.#chunk, this.#at, isLineStart)
      const rows = this.#chunk.subarray(this.#at, end)
      if (rows.length > 0) {
        const { line } = this.#placeOf(this.#at)
        onLines(this.#placeOf(end).line - line)
        isLineStart = rows[rows.length - 1] === BYTE.newline
        this.#at = end
        yield rows
      }
      if (isEnd) {
        this.#at = after
        this.#copy = null
        this.#scanner.atLineStart()
        return
      }
      // what may be the beginning of the end stays for the next piece
      if (!(await this.#fill(this.#chunk.subarray(end)))) {
        throw cutError('inside the rows of a table', this.#placeOf(this.#chunk.length))
      }
    }
  }

  /** The next piece; `carried` bytes of the present one stay in front of it. False: there is none. */
  async #fill(carried: Buffer = Buffer.alloc(0)): Promise<boolean> {
    if (performance.now() - this.#lastTurn > TURN_MS) {
      await nextTurn()
      this.#lastTurn = performance.now()
    }
    while (this.#rest.length === 0) {
      const next = await this.#source.next()
      if (next.done) return false
      this.#rest = next.value
    }
    const piece = this.#rest.subarray(0, PIECE)
    this.#rest = this.#rest.subarray(piece.length)
    const used = this.#chunk.length - carried.length
    this.#line += countLines(this.#chunk, this.#counted, used)
    this.#counted = 0
    this.#offset += used
    this.#chunk = carried.length > 0 ? Buffer.concat([carried, piece]) : piece
    this.#at = 0
    const nul = piece.indexOf(0)
    if (nul >= 0) throw scriptError('script-nul', 'a NUL byte', this.#placeOf(carried.length + nul))
    this.#onBytes(piece.length)
    return true
  }

  #finish(): null {
    const place = this.#placeOf(this.#chunk.length)
    if (!this.#scanner.isBetween) throw cutError(this.#scanner.inside, place)
    if (!this.#isComplete) throw cutError('without its completion line', place)
    if (this.#key !== null && !this.#isUnrestricted) throw cutError('without the \\unrestrict line that belongs to it', place)
    return null
  }

  #placeOf(at: number): ScriptPlace {
    if (at > this.#counted) {
      this.#line += countLines(this.#chunk, this.#counted, at)
      this.#counted = at
    }
    return { line: this.#line, offset: this.#offset + at }
  }
}

/**
 * Looks for the line `\.` that ends the rows of COPY.
 * `end`: up to here bytes are rows for certain; `after`: behind the line that ends them.
 */
function findEndOfRows(chunk: Buffer, from: number, isLineStart: boolean): { end: number; after: number; isEnd: boolean } {
  let at = from
  let candidate = isLineStart && chunk[from] === BYTE.backslash ? from : nextCandidate(chunk, from)
  while (candidate >= 0) {
    const rest = chunk.length - candidate
    const third = chunk[candidate + 2]
    if (rest < 3 && (rest === 1 || chunk[candidate + 1] === 0x2e)) return { end: candidate, after: candidate, isEnd: false }
    if (chunk[candidate + 1] === 0x2e && third === BYTE.newline) return { end: candidate, after: candidate + 3, isEnd: true }
    if (chunk[candidate + 1] === 0x2e && third === BYTE.return) {
      if (rest === 3) return { end: candidate, after: candidate, isEnd: false }
      if (chunk[candidate + 3] === BYTE.newline) return { end: candidate, after: candidate + 4, isEnd: true }
    }
    at = candidate + 1
    candidate = nextCandidate(chunk, at)
  }
  // a line that begins with a backslash at the very end may become the end of the rows
  const isOpen = chunk.length - at >= 2 && chunk[chunk.length - 1] === BYTE.backslash && chunk[chunk.length - 2] === BYTE.newline
  const end = isOpen ? chunk.length - 1 : chunk.length
  return { end, after: end, isEnd: false }
}

function nextCandidate(chunk: Buffer, from: number): number {
  const found = chunk.indexOf(END_OF_ROWS, from)
  return found < 0 ? -1 : found + 1
}
