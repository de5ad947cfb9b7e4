import { checkStatement } from './allow-list/index.ts'
import { readScript } from './script/script-reader.ts'

/** What a dump would make, found by reading all of it. */
export interface DumpSurvey {
  /** Bytes of the plain script. */
  bytes: number
  /** True when it makes the site's schema. */
  makesSchema: boolean
  /** Tables with their rows, and the columns that have values (null: it does not say). */
  tables: Map<string, { rows: number; columns: string[] | null }>
  /** Roles that become owners, and roles that get rights. */
  owners: Set<string>
  roles: Set<string>
  /** `schema.name` of what it refers to outside of the site's schema. */
  references: Set<string>
  /** Functions that run with the rights of their owner. */
  securityDefiners: number
}

/**
 * Reads a dump to its end as the loader would, without a database.
 * @throws AppError those of `readScript` and `checkStatement`
 */
export async function surveyDump(script: AsyncIterable<Buffer>, schema: string, signal: AbortSignal): Promise<DumpSurvey> {
  const survey: DumpSurvey = {
    bytes: 0,
    makesSchema: false,
    tables: new Map(),
    owners: new Set(),
    roles: new Set(),
    references: new Set(),
    securityDefiners: 0,
  }
  const onBytes = (bytes: number) => {
    survey.bytes += bytes
  }
  for await (const item of readScript(script, { onBytes })) {
    signal.throwIfAborted()
    const facts = await checkStatement(item.text, schema, item)
    for (const owner of facts.owners) survey.owners.add(owner)
    for (const role of facts.roles) survey.roles.add(role)
    for (const reference of facts.references) survey.references.add(reference)
    if (facts.isSecurityDefiner) survey.securityDefiners += 1
    if (facts.name === 'CREATE SCHEMA') survey.makesSchema = true
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
