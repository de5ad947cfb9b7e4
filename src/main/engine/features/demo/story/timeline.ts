/** Something that happens at a moment of the story. */
export interface Happened {
  at: Date
  run(): void
}

const DAY_MS = 86_400_000

/** The moments of a story that ends now: told in any order, lived through in order. */
export class Timeline {
  readonly #now: Date
  readonly #happened: Happened[] = []

  constructor(now: Date) {
    this.#now = now
  }

  /** A moment of office hours (UTC), that many days ago; `share` from 0 to 1 is early or late in the day. */
  daysAgo(days: number, share: number): Date {
    const midnight = Math.floor(this.#now.getTime() / DAY_MS) * DAY_MS
    return new Date(midnight - days * DAY_MS + (7.5 + share * 9) * 3_600_000)
  }

  add(at: Date, run: () => void): void {
    this.#happened.push({ at, run })
  }

  /** Everything up to a moment, oldest first; each is handed out once. What would be in the future never happens. */
  takeUntil(until: Date): Happened[] {
    const limit = Math.min(until.getTime(), this.#now.getTime())
    const due = this.#happened.filter(({ at }) => at.getTime() <= limit).sort((a, b) => a.at.getTime() - b.at.getTime())
    const rest = this.#happened.filter((happened) => !due.includes(happened))
    this.#happened.splice(0, this.#happened.length, ...rest)
    return due
  }
}
