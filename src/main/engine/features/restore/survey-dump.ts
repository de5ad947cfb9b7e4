import { DumpGate, type DumpTarget, type LeftOut } from './allow-list/dump-gate.ts'
import { readScript } from './script/script-reader.ts'

/** What a dump would make, found by reading all of it. */
export interface DumpSurvey {
  /** Bytes of the plain script. */
  bytes: number
  /** True when it makes the schema that it is to make. */
  readonly makesSchema: boolean
  /** Tables with their rows, and the columns that have values (null: it does not say). */
  tables: Map<string, { rows: number; columns: string[] | null }>
  /** Roles that become owners, and roles that get rights. */
  owners: Set<string>
  roles: Set<string>
  /** `schema.name` of what it refers to outside of the site's schema. */
  references: Set<string>
  /** Constraints that are added to tables: how many of each name. */
  constraints: Map<string, number>
  /** Functions that run with the rights of their owner. */
  securityDefiners: number
  /** Functions that run while it is loaded. A superuser refuses to load them. */
  runs: ReadonlySet<string>
  /** True when it begins with `\restrict`. */
  isRestricted: boolean
  /** What is left out when it is loaded. */
  leftOut: LeftOut
}

/**
 * Reads a dump to its end as the loader would, without a database.
 * @throws AppError those of `readScript` and `checkStatement`
 */
export async function surveyDump(script: AsyncIterable<Buffer>, target: DumpTarget, signal: AbortSignal): Promise<DumpSurvey> {
  const gate = new DumpGate(target)
  const survey: DumpSurvey = {
    bytes: 0,
    tables: new Map(),
    owners: new Set(),
    roles: new Set(),
    references: new Set(),
    constraints: new Map(),
    securityDefiners: 0,
    runs: gate.runs,
    isRestricted: false,
    leftOut: gate.leftOut,
    get makesSchema() {
      return gate.madeSchema
    },
  }
  const onBytes = (bytes: number) => {
    survey.bytes += bytes
  }
  const onRestrict = () => {
    survey.isRestricted = true
  }
  for await (const item of readScript(script, { onBytes, onRestrict })) {
    signal.throwIfAborted()
    const passed = await gate.pass(item)
    if (!passed) continue
    const { facts } = passed
    for (const owner of facts.owners) survey.owners.add(owner)
    for (const role of facts.roles) survey.roles.add(role)
    for (const reference of facts.references) survey.references.add(reference)
    if (facts.isSecurityDefiner) survey.securityDefiners += 1
    if (facts.name === 'ALTER TABLE') countConstraint(item.text, survey.constraints)
    if (facts.table === undefined) continue
    const table = survey.tables.get(facts.table) ?? { rows: 0, columns: null }
    survey.tables.set(facts.table, table)
    if (facts.columns) table.columns = facts.columns
    table.rows += facts.rows ?? 0
    if (item.kind !== 'copy') continue
    for await (const _ of item.rows) signal.throwIfAborted()
    table.rows += item.rowCount()
  }
  return survey
}

/** Of the form in which pg_dump adds constraints. */
function countConstraint(statement: string, constraints: Map<string, number>): void {
  const [, quoted, plain] = /\sADD CONSTRAINT (?:"((?:[^"]|"")+)"|(\w+)) /.exec(statement) ?? []
  const name = quoted?.replaceAll('""', '"') ?? plain
  if (name !== undefined) constraints.set(name, (constraints.get(name) ?? 0) + 1)
}
