import { listServerPrograms } from '#engine/foundation/connections/ssh/postgres-programs.ts'
import type { SshConnection } from '#engine/foundation/connections/ssh/types.ts'

/** A psql of a server. */
export interface PsqlProgram {
  path: string
  /** "15.14". */
  version: string
  major: number
  minor: number
}

/** The first edition of each major version that knows `\restrict`; all later ones do. */
const RESTRICT_SINCE: Record<number, number> = { 13: 22, 14: 19, 15: 14, 16: 10, 17: 6 }

/** Whether it runs a script that begins with `\restrict`, as pg_dump has written them since August 2025. */
export function knowsRestrict({ major, minor }: Pick<PsqlProgram, 'major' | 'minor'>): boolean {
  return major >= 18 || minor >= (RESTRICT_SINCE[major] ?? Number.POSITIVE_INFINITY)
}

/** Every psql of a server that answers. */
export async function findServerPsqls(server: SshConnection, signal: AbortSignal): Promise<PsqlProgram[]> {
  const programs = await listServerPrograms(server, 'psql', signal)
  return programs.flatMap(({ path, text }) => readPsqlVersion(path, text) ?? [])
}

/** What `psql --version` says; null: it is no psql. */
export function readPsqlVersion(path: string, text: string): PsqlProgram | null {
  const found = /^psql \(PostgreSQL\) ((\d+)(?:\.(\d+)|[a-z]\S*)?)/.exec(text)
  return found?.[1] ? { path, version: found[1], major: Number(found[2]), minor: Number(found[3] ?? 0) } : null
}

/** The nearest one that is not older than the database server, in its newest edition; null: there is none. */
export function choosePsql(found: readonly PsqlProgram[], serverMajor: number): PsqlProgram | null {
  const fitting = found.filter(({ major }) => major >= serverMajor)
  return fitting.sort((a, b) => a.major - b.major || b.minor - a.minor)[0] ?? null
}
