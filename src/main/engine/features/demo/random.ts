/** Numbers that are the same every time for the same seed (mulberry32). Not for secrets. */
export class SeededRandom {
  #state: number

  constructor(seed: number) {
    this.#state = seed >>> 0
  }

  /** At least 0, less than 1. */
  next(): number {
    this.#state = (this.#state + 0x6d2b79f5) >>> 0
    let t = this.#state
    t = Math.imul(t ^ (t >>> 15), t | 1)
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61)
    return ((t ^ (t >>> 14)) >>> 0) / 4_294_967_296
  }

  /** A whole number from `low` to `high`, both possible. */
  whole(low: number, high: number): number {
    return low + Math.floor(this.next() * (high - low + 1))
  }

  pick<T>(from: readonly T[]): T {
    const item = from[this.whole(0, from.length - 1)]
    if (item === undefined) throw new RangeError('nothing to pick from')
    return item
  }

  text(length: number, alphabet: string): string {
    let text = ''
    for (let index = 0; index < length; index++) text += alphabet[this.whole(0, alphabet.length - 1)]
    return text
  }
}
