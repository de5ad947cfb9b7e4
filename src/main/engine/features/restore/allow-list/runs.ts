import type { StatementFacts } from './facts.ts'

/**
 * What of a dump's own making runs while it is loaded: functions in defaults, checks, generated columns, domains, indexes
 * and materialised views. Functions that only compute are not told of.
 */
export class RunsWhileLoading {
  /** `schema.function`, in the order in which they were found. */
  readonly found = new Set<string>()
  /** By name: the functions that one calls; null: it does more than compute. */
  readonly #routines = new Map<string, string[] | null>()
  /** Names that something relies on to only compute. */
  readonly #relied = new Set<string>()
  /** Of views, which run only when a materialised view reads them. */
  readonly #ofViews = new Set<string>()
  #fillsViews = false
  readonly #schema: string

  constructor(schema: string) {
    this.#schema = schema
  }

  note({ name, routine, runs = [] }: StatementFacts): void {
    if (routine) this.#noteRoutine(`${this.#schema}.${routine.name}`, routine.calls)
    if (name === 'CREATE MATERIALIZED VIEW' || name === 'REFRESH MATERIALIZED VIEW') this.#fillsViews = true
    for (const call of runs) {
      if (name === 'CREATE VIEW') this.#ofViews.add(call)
      else this.#noteRun(call)
    }
    if (!this.#fillsViews) return
    for (const call of this.#ofViews) this.#noteRun(call)
    this.#ofViews.clear()
  }

  /** One of the same name, or one that replaces it, may do more than those before. */
  #noteRoutine(name: string, calls: string[] | null): void {
    const others = this.#routines.get(name)
    this.#routines.set(name, calls === null || others === null ? null : [...(others ?? []), ...calls])
    if (!this.#relied.delete(name)) return
    this.#noteRun(name)
  }

  #noteRun(name: string): void {
    if (this.#relied.has(name)) return
    const calls = this.#routines.get(name)
    if (!calls) {
      this.found.add(name)
      return
    }
    this.#relied.add(name)
    for (const call of calls) this.#noteRun(call)
  }
}
