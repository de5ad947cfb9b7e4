import type pg from 'pg'
import { AppError } from '#shared/errors.ts'

interface Relation {
  oid: number
  /** Another file: truncated or rewritten. */
  filenode: string
  name: string
}

/** Tells whether a load changed anything but the schema that it makes. */
export interface OutsideGuard {
  /** @throws AppError `outside-changed` */
  check(): Promise<void>
}

/**
 * The functions of a dump run while it is loaded (in checks, defaults and indexes), with the rights of the database user,
 * who owns the kept schema too. What they do there no allow-list can see; here it shows before COMMIT.
 * @param made the schema that the dump makes
 * @param kept the name under which the live schema is kept; null: there is none
 */
export async function watchOutside(client: pg.Client, made: string, kept: string | null): Promise<OutsideGuard> {
  const relations = async () => {
    const { rows } = await client.query<Relation>(
      `SELECT c.oid, c.relfilenode::text AS filenode, c.relname AS name
       FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
       WHERE n.nspname = $1 AND c.relkind IN ('r', 'p', 'S', 'v', 'm')`,
      [kept],
    )
    return new Map(rows.map((row) => [row.oid, row]))
  }
  const before = await relations()
  return {
    async check() {
      const after = await relations()
      const gone = [...before.values()].filter(({ oid, filenode }) => after.get(oid)?.filenode !== filenode)
      const { rows } = await client.query<{ name: string }>(
        `SELECT pg_catalog.format('%I.%I', schemaname, relname) AS name FROM pg_catalog.pg_stat_xact_all_tables
         WHERE n_tup_ins + n_tup_upd + n_tup_del > 0 AND schemaname NOT IN ('pg_catalog', 'pg_toast', $1)`,
        [made],
      )
      const changed = [...gone.map(({ name }) => `${kept}.${name}`), ...rows.map(({ name }) => name)]
      if (changed.length === 0) return
      throw new AppError(
        'outside-changed',
        `Functions in the dump changed what is not theirs: ${changed.slice(0, 5).join(', ')}.`,
        {
          hint: 'This dump is not to be trusted. Choose another backup.',
          details: { changed: changed.slice(0, 50) },
        },
      )
    },
  }
}
