import { formatCount } from '#shared/format.ts'
import type { RestorePlan } from '#shared/model/plan.ts'

type TableRows = RestorePlan['tables'][number]

/** What Zotonic's tables hold, in the operator's words. */
export const TABLE_WORD: Record<string, string> = {
  rsc: 'Resources',
  edge: 'Edges',
  medium: 'Media',
  identity: 'Accounts',
  rsc_gone: 'Deleted',
  backup_revision: 'Revisions',
  backup_edge_log: 'Edge log',
  config: 'Settings',
}

const ORDER = Object.keys(TABLE_WORD)

/** The tables that people know first, then those that change, then the rest by name. */
export function sortTables(tables: readonly TableRows[]): TableRows[] {
  const rank = ({ table, rowsNow, rowsThen }: TableRows) => {
    const known = ORDER.indexOf(table)
    return known >= 0 ? known : rowsNow === rowsThen ? 1001 : 1000
  }
  return [...tables].sort((a, b) => rank(a) - rank(b) || a.table.localeCompare(b.table))
}

/** Those to read, and those that nobody knows by name and that keep their number of rows. */
export function splitTables(tables: readonly TableRows[]): { shown: TableRows[]; same: TableRows[] } {
  const sorted = sortTables(tables)
  const isQuiet = ({ table, rowsNow, rowsThen }: TableRows) => TABLE_WORD[table] === undefined && rowsNow === rowsThen
  return { shown: sorted.filter((row) => !isQuiet(row)), same: sorted.filter(isQuiet) }
}

/** `−55`, `+2`, `same`, `new`, `goes`. */
export function differenceText(now: number | null, then: number | null): string {
  if (now === null) return 'new'
  if (then === null) return 'goes'
  if (now === then) return 'same'
  return then > now ? `+${formatCount(then - now)}` : `−${formatCount(now - then)}`
}
