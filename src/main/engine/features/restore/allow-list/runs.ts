import type { StatementFacts } from './facts.ts'

/**
 * What of a dump's own making runs while it is loaded: functions in defaults, checks, generated columns, domains, indexes
 * and materialised views. Functions that only compute and read are not told of.
 */
export class RunsWhileLoading {
  /** `schema.function`, in the order in which they were found. */
  readonly found = new Set<string>()
  /** By name: the functions that one calls; null: it does more than compute and read. */
  readonly #routines = new Map<string, string[] | null>()
  /** Names of those that read tables, or views. */
  readonly #readers = new Set<string>()
  /** Names that something relies on to only compute. */
  readonly #relied = new Set<string>()
  /** Of views, which run only when a materialised view or a function reads them. */
  readonly #ofViews = new Set<string>()
  #readsViews = false
  readonly #schema: string

  constructor(schema: string) {
    this.#schema = schema
  }

  note({ name, routine, runs = [] }: StatementFacts): void {
    if (routine) {
      if (routine.reads) this.#readers.add(`${this.#schema}.${routine.name}`)
      this.#noteRoutine(`${this.#schema}.${routine.name}`, routine.calls)
    }
    if (name === 'CREATE MATERIALIZED VIEW' || name === 'REFRESH MATERIALIZED VIEW') this.#readsViews = true
    for (const call of runs) {
      if (name === 'CREATE VIEW') this.#ofViews.add(call)
      else this.#noteRun(call)
    }
    if (!this.#readsViews) return
    const calls = [...this.#ofViews]
    this.#ofViews.clear()
    for (const call of calls) this.#noteRun(call)
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
    if (this.#readers.has(name)) this.#readsViews = true
    for (const call of calls) this.#noteRun(call)
  }
}
