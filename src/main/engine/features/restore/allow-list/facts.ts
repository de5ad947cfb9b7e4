/** What a statement that may run does, for the loader and for the plan. */
export interface StatementFacts {
  /** `CREATE TABLE`, `COPY`, … */
  name: string
  /** `run`: as it stands; `skip`: the loader sees to it itself; `copy`: rows follow. */
  action: 'run' | 'skip' | 'copy'
  /** The table that is made or filled. */
  table?: string
  /** Columns of a COPY that names them. */
  columns?: string[]
  /** Rows of an INSERT. */
  rows?: number
  /** Roles that become owners of something, which the loading role must be a member of. */
  owners: string[]
  /** Other roles that it names. */
  roles: string[]
  /** `schema.name` of what it refers to outside of the site's schema and PostgreSQL's own. */
  references: string[]
  /** What it says of others than the objects themselves: who owns one, who may use one. */
  about?: 'owner' | 'grant'
  /** Why it is refused where what it is about is not left out. */
  unlessLeftOut?: string
  /** Functions that run when it does, or when rows are loaded into what it makes. */
  runs?: string[]
  /** The function that it makes, and those that this one calls; null: it does more than compute and read. */
  routine?: { name: string; calls: string[] | null; reads: boolean }
  /** True for what runs with the rights of its owner. */
  isSecurityDefiner?: boolean
}

export function factsOf(name: string, more: Partial<StatementFacts> = {}): StatementFacts {
  return { name, action: 'run', owners: [], roles: [], references: [], ...more }
}
