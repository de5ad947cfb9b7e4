import type pg from 'pg'
import { isCancelled } from '#shared/errors.ts'
import { formatSome } from '#shared/format.ts'
import type { DrillCheck } from '#shared/model/drill.ts'

/** The restored copy, as the checks see it. */
export interface Copy {
  /** As the role that loaded it. */
  client: pg.Client
  schema: string
  /** Exact rows per table. */
  rowCounts: Record<string, number>
  signal: AbortSignal
}

/** What a check found, without its name. */
export type Finding = Pick<DrillCheck, 'outcome' | 'finding'>

export const passed = (finding: string): Finding => ({ outcome: 'passed', finding })
export const warning = (finding: string): Finding => ({ outcome: 'warning', finding })
export const failed = (finding: string): Finding => ({ outcome: 'failed', finding })
export const unknown = (finding: string): Finding => ({ outcome: 'unknown', finding })

const CHECKS = {
  load: 'Loads without error',
  schema: 'Schema name',
  tables: 'Tables of Zotonic',
  rows: 'Row counts',
  newest: 'Newest change',
  edges: 'Edges have both ends',
  'foreign-keys': 'Foreign keys',
  sequences: 'Sequences',
  media: 'Media archive',
  config: 'Configuration',
} as const

export type CheckId = keyof typeof CHECKS

export function checkOf(id: CheckId, finding: Finding): DrillCheck {
  return { id, name: CHECKS[id], ...finding }
}

/** Runs a check; one whose own query fails is not known, and says why. Lost connections and cancelling are thrown. */
export async function attempt(id: CheckId, signal: AbortSignal, look: () => Promise<Finding>): Promise<DrillCheck> {
  signal.throwIfAborted()
  try {
    return checkOf(id, await look())
  } catch (error) {
    if (signal.aborted || isCancelled(error) || !isRefusal(error)) throw error
    return checkOf(id, unknown(`it could not be looked at: ${error.message}`))
  }
}

/** An answer of the server about the query, and not a server in trouble. */
function isRefusal(error: unknown): error is Error {
  const code = error instanceof Error ? (error as { code?: unknown }).code : undefined
  return typeof code === 'string' && /^[0-9A-Z]{5}$/.test(code) && !/^(?:08|53|58|57P)/.test(code)
}

/** "a, b, c and 7 more". */
export function some(names: readonly string[], count?: number): string {
  return formatSome(names, 3, count)
}
