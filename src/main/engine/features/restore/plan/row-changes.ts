import type { RestorePlan } from '#shared/model/plan.ts'

type Tables = ReadonlyMap<string, { rows: number | null }>

/** Rows per table now and then, by name; a table of one side only has none on the other. */
export function rowChanges(now: Tables, then: Tables): RestorePlan['tables'] {
  const names = [...new Set([...now.keys(), ...then.keys()])].sort()
  return names.map((table) => ({
    table,
    rowsNow: now.get(table)?.rows ?? null,
    rowsThen: then.get(table)?.rows ?? null,
  }))
}

/** Edits that are there now and were not then: each leaves a revision. null: not known. */
export function editsSince(tables: RestorePlan['tables']): number | null {
  const revisions = tables.find(({ table }) => table === 'backup_revision')
  if (!revisions || revisions.rowsNow === null || revisions.rowsThen === null) return null
  return Math.max(0, revisions.rowsNow - revisions.rowsThen)
}
