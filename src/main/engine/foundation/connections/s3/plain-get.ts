import { requestText, type SignedGet } from './plain-http.ts'
import { type PartTaker, type PlainAnswer, PlainWire, type WireOptions } from './plain-wire.ts'

/** Servers close connections that were idle for 5 to 60 seconds. */
const IDLE_MS = 4000

/**
 * Gets parts of objects straight into memory of the caller. Node's own HTTP puts every 64 KiB of an answer into new memory,
 * which costs a download more than all of the rest. Only the plain case is known here: HTTP/1.1, an announced length, no encoding.
 */
export class PlainGets {
  readonly #options: WireOptions
  readonly #idle = new Map<string, PlainWire[]>()
  /** This server sends parts of objects in another way. */
  #isOff = false

  constructor(options: WireOptions) {
    this.#options = options
  }

  /**
   * @returns null: the answer is not of the plain kind, and was not taken; it has to be asked for in the general way
   * @throws TruncatedAnswer, errors of sockets, what the taker throws
   */
  async get(request: SignedGet, taker: PartTaker, signal: AbortSignal): Promise<PlainAnswer | null> {
    const text = requestText(request)
    if (text === null || this.#isOff) return null
    const key = `${request.protocol}//${request.hostname}:${request.port ?? ''}`
    for (;;) {
      signal.throwIfAborted()
      const idle = this.#idle.get(key)?.pop()
      const wire = idle ?? new PlainWire(request, this.#options)
      try {
        const answer = await wire.ask(text, taker, signal)
        if (answer === null) this.#isOff ||= wire.isPart !== false
        else if (wire.isOpen) this.#keep(key, wire)
        return answer
      } catch (error) {
        // a server may close a connection at any time while it is idle
        if (idle === undefined || wire.hasAnswered || signal.aborted) throw error
      }
    }
  }

  #keep(key: string, wire: PlainWire): void {
    const idle = this.#idle.get(key) ?? []
    this.#idle.set(key, idle)
    idle.push(wire)
    wire.rest(IDLE_MS, () => {
      const at = idle.indexOf(wire)
      if (at >= 0) idle.splice(at, 1)
    })
  }
}
