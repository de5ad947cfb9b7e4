import { connect, isIP, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { TruncatedAnswer } from './errors.ts'
import { type AnswerHead, parseHead, plainLength, type SignedGet } from './plain-http.ts'

/** The head of an answer and what came with it; what follows goes where the caller wants it. */
const HEAD_BYTES = 64 * 1024
/** Documents of errors are a few hundred bytes. */
const MAX_DOCUMENT_BYTES = 1024 * 1024

/** What an answer says of the part of an object that it brings. */
export interface PartFacts {
  contentRange: string | undefined
  etag: string | undefined
}

/** Where a part of an object goes. */
export interface PartTaker {
  /** Before its first byte; throws when it is another than was asked for. */
  begin(facts: PartFacts): void
  /** Memory for what comes next, never empty; throws when nothing more was asked for. */
  space(): Buffer
  /** So many bytes were put into that memory. */
  took(bytes: number): void
}

/** An answer that was taken whole. */
export interface PlainAnswer extends AnswerHead {
  /** What an answer said that brought no part of an object; else empty. */
  document: Buffer
}

export interface WireOptions {
  connectMs: number
  /** A connection on which nothing comes for this long is given up. */
  stallMs: number
  ca: string | null
}

/** What was asked and is not answered yet. */
interface Asked {
  taker: PartTaker
  resolve(answer: PlainAnswer | null): void
  reject(error: unknown): void
}

/** The body of an answer on its way. */
interface Incoming {
  answer: PlainAnswer
  missing: number
  space(): Buffer
  took(bytes: number): void
}

/** One connection, for one request after the other. */
export class PlainWire {
  readonly #socket: Socket
  readonly #stallMs: number
  readonly #head = Buffer.allocUnsafeSlow(HEAD_BYTES)
  /** Bytes of the head that have come. */
  #headBytes = 0
  #asked: Asked | null = null
  #incoming: Incoming | null = null
  #onGone: (() => void) | null = null
  #hasAnswered = false
  #isPart: boolean | null = null
  #isOpen = true

  constructor({ protocol, hostname, port }: SignedGet, { connectMs, stallMs, ca }: WireOptions) {
    this.#stallMs = stallMs
    const isTls = protocol === 'https:'
    const host = hostname.replace(/^\[(.*)\]$/, '$1')
    const onread = {
      buffer: () => this.#space(),
      callback: (bytes: number) => {
        this.#received(bytes)
        return true
      },
    }
    // names of hosts alone may be told to a server, not addresses
    const tls = { servername: isIP(host) ? '' : host, ...(ca === null ? {} : { ca }) }
    this.#socket = isTls
      ? connectTls({ host, port: port ?? 443, ...tls, onread } as TlsOptions)
      : connect({ host, port: port ?? 80, onread })
    this.#socket.setNoDelay(true)
    this.#socket.setTimeout(connectMs, () => this.#fail(timedOut()))
    this.#socket.once(isTls ? 'secureConnect' : 'connect', () => this.#socket.setTimeout(stallMs))
    this.#socket.on('error', (error) => this.#fail(error))
    this.#socket.on('close', () => this.#fail(this.#incoming ? new TruncatedAnswer('the answer broke off') : hungUp()))
  }

  /** Whether a byte of the last answer came. */
  get hasAnswered(): boolean {
    return this.#hasAnswered
  }

  /** Whether the last answer brought a part of an object; null: that could not be read. */
  get isPart(): boolean | null {
    return this.#isPart
  }

  /** Whether another request may follow. */
  get isOpen(): boolean {
    return this.#isOpen
  }

  /** @returns null: the answer is not a plain one, and was not taken */
  async ask(text: string, taker: PartTaker, signal: AbortSignal): Promise<PlainAnswer | null> {
    this.#onGone = null
    this.#hasAnswered = false
    this.#isPart = null
    this.#headBytes = 0
    const onAbort = () => this.#fail(signal.reason)
    signal.addEventListener('abort', onAbort, { once: true })
    try {
      return await new Promise<PlainAnswer | null>((resolve, reject) => {
        this.#asked = { taker, resolve, reject }
        this.#socket.ref()
        if (!this.#socket.connecting) this.#socket.setTimeout(this.#stallMs)
        this.#socket.write(text)
      })
    } finally {
      signal.removeEventListener('abort', onAbort)
    }
  }

  /** Waits for the next request, for a while, without keeping the program from ending. */
  rest(milliseconds: number, onGone: () => void): void {
    this.#onGone = onGone
    this.#socket.setTimeout(milliseconds)
    this.#socket.unref()
  }

  #space(): Buffer {
    try {
      if (this.#incoming) return this.#incoming.space()
    } catch (error) {
      this.#fail(error)
    }
    return this.#head.subarray(this.#headBytes)
  }

  #received(bytes: number): void {
    try {
      if (this.#asked === null) throw new Error('an answer to nothing')
      this.#hasAnswered = true
      if (this.#incoming) this.#took(this.#incoming, bytes)
      else this.#readHead(this.#asked, bytes)
    } catch (error) {
      this.#fail(error)
    }
  }

  #readHead(asked: Asked, bytes: number): void {
    this.#headBytes += bytes
    const seen = this.#head.subarray(0, this.#headBytes)
    const end = seen.indexOf('\r\n\r\n')
    if (end < 0) {
      if (seen.length === HEAD_BYTES) this.#refuse()
      return
    }
    const head = parseHead(seen.toString('latin1', 0, end))
    const isPart = head?.statusCode === 206
    this.#isPart = head && isPart
    const length = head && plainLength(head)
    if (head === null || length === null || (!isPart && length > MAX_DOCUMENT_BYTES)) {
      this.#refuse()
      return
    }
    const document = Buffer.alloc(isPart ? 0 : length)
    const incoming: Incoming = {
      answer: { ...head, document },
      missing: length,
      space: () => (isPart ? asked.taker.space() : document.subarray(length - incoming.missing)),
      took: (count) => {
        if (isPart) asked.taker.took(count)
      },
    }
    this.#incoming = incoming
    if (isPart) asked.taker.begin({ contentRange: head.headers['content-range'], etag: head.headers.etag })
    if (length === 0) this.#done(incoming)
    for (let rest = seen.subarray(end + 4); rest.length > 0; ) {
      if (incoming.missing === 0) throw tooMuch()
      const copied = rest.copy(incoming.space())
      rest = rest.subarray(copied)
      this.#took(incoming, copied)
    }
  }

  #took(incoming: Incoming, bytes: number): void {
    if (bytes > incoming.missing) throw tooMuch()
    incoming.took(bytes)
    incoming.missing -= bytes
    if (incoming.missing === 0) this.#done(incoming)
  }

  #done({ answer }: Incoming): void {
    const asked = this.#asked
    this.#asked = null
    this.#incoming = null
    this.#headBytes = 0
    this.#isOpen = !/\bclose\b/i.test(answer.headers.connection ?? '')
    if (!this.#isOpen) this.#socket.destroy()
    asked?.resolve(answer)
  }

  /** Leaves an answer to who can read it. */
  #refuse(): void {
    const asked = this.#asked
    this.#asked = null
    this.#isOpen = false
    this.#socket.destroy()
    asked?.resolve(null)
  }

  #fail(error: unknown): void {
    const asked = this.#asked
    this.#asked = null
    this.#incoming = null
    this.#isOpen = false
    this.#socket.destroy()
    this.#onGone?.()
    asked?.reject(error)
  }
}

/** Node takes it and says so in its manual; its types leave it out. */
type TlsOptions = Parameters<typeof connectTls>[0] & Parameters<typeof connect>[0]

function timedOut(): Error {
  return Object.assign(new Error('nothing came for too long'), { name: 'TimeoutError' })
}

function hungUp(): Error {
  return Object.assign(new Error('the connection was closed'), { code: 'ECONNRESET' })
}

function tooMuch(): Error {
  return new TruncatedAnswer('more came than was announced')
}
