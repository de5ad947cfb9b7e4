import type { Snapshot } from '../session.ts'

/** `c` check, `f` foreign key, `p` primary key, `u` unique, `x` exclude, `n` not null (17 and later), `t` trigger. */
export type ConstraintType = 'c' | 'f' | 'p' | 'u' | 'x' | 'n' | 't'

export interface Constraint {
  oid: number
  name: string
  type: ConstraintType
  /** Table, or 0. */
  relationOid: number
  /** Domain, or 0. */
  typeOid: number
  /** The index behind it (for a foreign key: the referenced one), or 0. */
  indexOid: number
  /** The referenced table, or 0. */
  foreignOid: number
  deferrable: boolean
  deferred: boolean
  validated: boolean
  noInherit: boolean
  /** Column numbers. */
  columns: number[]
  /** As `pg_get_constraintdef` writes it: from CHECK, FOREIGN KEY, … on. */
  definition: string
}

/** All constraints of the schema's tables and domains. Kinds that are not known were refused by the survey. */
export async function readConstraints(snapshot: Snapshot): Promise<Constraint[]> {
  const { rows } = await snapshot.client.query<Constraint>(
    `SELECT c.oid, c.conname AS name, c.contype::text AS type, c.conrelid AS "relationOid", c.contypid AS "typeOid",
            c.conindid AS "indexOid", c.confrelid AS "foreignOid", c.condeferrable AS deferrable, c.condeferred AS deferred,
            c.convalidated AS validated, c.connoinherit AS "noInherit", coalesce(c.conkey::int4[], '{}') AS columns,
            pg_catalog.pg_get_constraintdef(c.oid) AS definition
     FROM pg_catalog.pg_constraint c
     LEFT JOIN pg_catalog.pg_class r ON r.oid = c.conrelid
     LEFT JOIN pg_catalog.pg_type t ON t.oid = c.contypid
     WHERE (r.relnamespace = $1 OR t.typnamespace = $1) AND c.contype <> 't' ORDER BY c.conname, c.oid`,
    [snapshot.schemaOid],
  )
  return rows
}
