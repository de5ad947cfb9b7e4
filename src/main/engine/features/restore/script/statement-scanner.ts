import { AtomicBody } from './atomic-body.ts'
import { scriptError } from './errors.ts'
import { BYTE, BYTE_CLASS, CLASS } from './lexical.ts'
import { IN, isWordByte, type ScanStop, type State, stateOfString } from './scan-states.ts'

const MAX_TAG = 64
const MAX_META = 256
const MAX_COMMENT = 128
const MAX_WORD = 16

/**
 * Finds where statements end, chunk by chunk, by the lexical rules of PostgreSQL's own scanner with
 * standard_conforming_strings on: '..' E'..' ".." $tag$..$tag$, nested comments, and the `BEGIN ATOMIC … END` bodies of
 * functions. It knows nothing of chunk borders: its state is what lies between two bytes.
 */
export class StatementScanner {
  /** Position of the statement's first byte in the present chunk; -1: none began. */
  start = -1
  /** True when what looked like a statement's start was a comment's. The reader sets it back. */
  tookBack = false
  #state: State = IN.normal
  #isProvisional = false
  #lineStart = true
  #afterEscape = false
  #parens = 0
  #comments = 0
  #text = ''
  #textAtLineStart = false
  #delimiter = ''
  #matched = 0
  #word = ''
  readonly #body = new AtomicBody()

  /** True when no statement was begun and no comment or command is open. */
  get isBetween(): boolean {
    return this.start < 0 && (this.#state === IN.normal || this.#state === IN.lineComment)
  }

  /** What the scanner is in, for messages. */
  get inside(): string {
    if (this.#state === IN.block || this.#state === IN.blockStar || this.#state === IN.blockSlash) return 'inside a comment'
    if (this.#state === IN.meta) return 'inside a line for psql'
    return 'inside a statement'
  }

  /** After a statement was taken: the next one is a new one. */
  reset(): void {
    this.start = -1
    this.#state = IN.normal
    this.#isProvisional = false
    this.#afterEscape = false
    this.#parens = 0
    this.#body.reset()
  }

  /** After rows of COPY, whose end is the end of a line. */
  atLineStart(): void {
    this.reset()
    this.#lineStart = true
  }

  /**
   * Scans on in `chunk` from `at`.
   * @param place where a byte of this chunk is in the script, for errors
   * @throws AppError `script-backslash`, `script-token`
   */
  scan(chunk: Buffer, from: number, place: (at: number) => { line: number; offset: number }): ScanStop {
    let at = from
    while (at < chunk.length) {
      const byte = chunk[at] ?? 0
      switch (this.#state) {
        case IN.normal: {
          const kind = BYTE_CLASS[byte]
          if (kind === CLASS.space) {
            this.#lineStart = byte === BYTE.newline
            at += 1
            break
          }
          if (kind === CLASS.plain && this.start >= 0) {
            // most bytes of long statements: signs that open or close nothing
            this.#lineStart = false
            this.#afterEscape = false
            at += 1
            break
          }
          if (byte === BYTE.backslash) {
            if (this.start >= 0 || !this.#lineStart) throw backslash(place(at))
            this.#state = IN.meta
            this.#text = ''
            break
          }
          if (byte === BYTE.quote && this.#afterEscape) {
            throw scriptError('script-token', 'a string goes on after its end, which dumps never have', place(at))
          }
          if (this.start < 0) {
            this.start = at
            this.#isProvisional = byte === BYTE.dash || byte === BYTE.slash
          }
          if (byte === BYTE.dash || byte === BYTE.slash) {
            this.#state = byte === BYTE.dash ? IN.dash : IN.slash
            this.#textAtLineStart = this.#lineStart
            this.#lineStart = false
            at += 1
            break
          }
          this.#lineStart = false
          this.#afterEscape = false
          at += 1
          if (kind === CLASS.letter) {
            this.#state = IN.word
            this.#word = String.fromCharCode(byte)
          } else if (kind === CLASS.digit) this.#state = IN.number
          else if (byte === BYTE.quote) this.#state = IN.string
          else if (byte === BYTE.doubleQuote) this.#state = IN.name
          else if (byte === BYTE.dollar) {
            this.#state = IN.dollarTag
            this.#delimiter = '$'
          } else if (byte === BYTE.open) this.#parens += 1
          else if (byte === BYTE.close) this.#parens = Math.max(0, this.#parens - 1)
          else if (byte === BYTE.semicolon && this.#parens === 0 && !this.#body.isOpen) return { kind: 'statement', at }
          break
        }
        case IN.word: {
          if (isWordByte(byte)) {
            if (this.#word.length < MAX_WORD) this.#word += String.fromCharCode(byte)
            at += 1
            // nothing is known of words longer than that
            while (this.#word.length === MAX_WORD && at < chunk.length && isWordByte(chunk[at] ?? 0)) at += 1
            break
          }
          if (byte === BYTE.quote) {
            this.#state = stateOfString(this.#word)
            if (this.#state === IN.normal) throw scriptError('script-token', 'a quote follows a word', place(at))
            at += 1
            break
          }
          this.#body.word(this.#word, this.#parens)
          this.#state = IN.normal
          break
        }
        case IN.number: {
          const kind = BYTE_CLASS[byte]
          if (kind === CLASS.letter || kind === CLASS.digit || byte === BYTE.dot) at += 1
          else if (byte === BYTE.quote) throw scriptError('script-token', 'a quote follows a number', place(at))
          else this.#state = IN.normal
          break
        }
        case IN.string: {
          const end = chunk.indexOf(BYTE.quote, at)
          if (end < 0) at = chunk.length
          else {
            at = end + 1
            this.#state = IN.stringQuote
          }
          break
        }
        case IN.stringQuote:
          if (byte === BYTE.quote) {
            this.#state = IN.string
            at += 1
          } else this.#state = IN.normal
          break
        case IN.escape:
          if (byte === BYTE.backslash) this.#state = IN.escapeBackslash
          else if (byte === BYTE.quote) this.#state = IN.escapeQuote
          at += 1
          break
        case IN.escapeBackslash:
          this.#state = IN.escape
          at += 1
          break
        case IN.escapeQuote:
          if (byte === BYTE.quote) {
            this.#state = IN.escape
            at += 1
          } else {
            this.#state = IN.normal
            this.#afterEscape = true
          }
          break
        case IN.name: {
          const end = chunk.indexOf(BYTE.doubleQuote, at)
          if (end < 0) at = chunk.length
          else {
            at = end + 1
            this.#state = IN.nameQuote
          }
          break
        }
        case IN.nameQuote:
          if (byte === BYTE.doubleQuote) {
            this.#state = IN.name
            at += 1
          } else this.#state = IN.normal
          break
        case IN.dash:
          if (byte !== BYTE.dash) {
            this.#notComment()
            break
          }
          this.#beginComment(IN.lineComment)
          this.#text = '--'
          at += 1
          break
        case IN.slash:
          if (byte !== BYTE.star) {
            this.#notComment()
            break
          }
          this.#beginComment(IN.block)
          this.#comments = 1
          at += 1
          break
        case IN.lineComment: {
          if (byte === BYTE.newline || byte === BYTE.return) {
            this.#state = IN.normal
            if (this.start < 0 && this.#textAtLineStart) return { kind: 'comment', at, text: this.#text }
            break
          }
          if (this.#text.length < MAX_COMMENT) this.#text += String.fromCharCode(byte)
          at += 1
          break
        }
        case IN.block:
          if (byte === BYTE.star) this.#state = IN.blockStar
          else if (byte === BYTE.slash) this.#state = IN.blockSlash
          at += 1
          break
        case IN.blockStar:
          at += 1
          if (byte === BYTE.slash) {
            this.#comments -= 1
            this.#state = this.#comments === 0 ? IN.normal : IN.block
          } else if (byte !== BYTE.star) this.#state = IN.block
          break
        case IN.blockSlash:
          at += 1
          if (byte === BYTE.star) {
            this.#comments += 1
            this.#state = IN.block
          } else if (byte !== BYTE.slash) this.#state = IN.block
          break
        case IN.dollarTag: {
          const kind = BYTE_CLASS[byte]
          if (byte === BYTE.dollar) {
            this.#delimiter += '$'
            this.#state = IN.body
            at += 1
          } else if (this.#delimiter === '$' && kind === CLASS.digit) {
            this.#state = IN.number
          } else if ((kind === CLASS.letter || kind === CLASS.digit) && this.#delimiter.length < MAX_TAG) {
            this.#delimiter += String.fromCharCode(byte)
            at += 1
          } else throw scriptError('script-token', 'a $ that begins nothing', place(at))
          break
        }
        case IN.body: {
          const end = chunk.indexOf(BYTE.dollar, at)
          if (end < 0) at = chunk.length
          else {
            at = end + 1
            this.#state = IN.bodyDollar
            this.#matched = 1
          }
          break
        }
        case IN.bodyDollar:
          if (byte === this.#delimiter.charCodeAt(this.#matched)) {
            this.#matched += 1
            if (this.#matched === this.#delimiter.length) this.#state = IN.normal
          } else if (byte === BYTE.dollar) this.#matched = 1
          else this.#state = IN.body
          at += 1
          break
        case IN.meta:
          if (byte === BYTE.newline) {
            this.#state = IN.normal
            return { kind: 'meta', at, text: this.#text }
          }
          if (this.#text.length >= MAX_META) throw backslash(place(at))
          this.#text += String.fromCharCode(byte)
          at += 1
          break
      }
    }
    return { kind: 'end-of-chunk' }
  }

  #beginComment(state: State): void {
    this.#state = state
    // comments before a statement are no part of it
    if (this.#isProvisional) {
      this.start = -1
      this.tookBack = true
    }
    this.#isProvisional = false
  }

  #notComment(): void {
    this.#state = IN.normal
    this.#isProvisional = false
    this.#afterEscape = false
  }
}

function backslash(place: { line: number; offset: number }) {
  return scriptError('script-backslash', 'a command for psql (it begins with a backslash), which is not run', place)
}
