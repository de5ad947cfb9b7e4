import { quoteIdentifier } from '#engine/foundation/connections/postgres.ts'
import { type DumpNode, type GrantTarget, makeNode, objectKey } from '../node.ts'
import type { Snapshot } from '../session.ts'

interface GrantRow {
  catalogue: string
  oid: number
  sub: number
  owner: string
  verb: 'GRANT' | 'REVOKE'
  /** Null: a role that does not exist any more. */
  grantor: string | null
  /** Empty: PUBLIC; null: a role that does not exist any more. */
  grantee: string | null
  privilege: string
  grantable: boolean
}

/** What differs from the privileges that a new object of this kind has: revoked first, then granted in the old order. */
const DIFFERENCE = `
  SELECT o.catalogue, o.oid, o.sub, o.owner, a.verb, gr.rolname AS grantor,
         CASE WHEN a.grantee = 0 THEN '' ELSE ge.rolname END AS grantee, a.privilege_type AS privilege, a.is_grantable AS grantable
  FROM objects o
  CROSS JOIN LATERAL (
    SELECT 'REVOKE' AS verb, b.*, 0::bigint AS position FROM pg_catalog.aclexplode(o.base) b
    WHERE NOT EXISTS (
      SELECT FROM pg_catalog.aclexplode(o.acl) x
      WHERE (b.grantor, b.grantee, b.privilege_type, b.is_grantable) = (x.grantor, x.grantee, x.privilege_type, x.is_grantable))
    UNION ALL
    SELECT 'GRANT', x.grantor, x.grantee, x.privilege_type, x.is_grantable, x.ordinality
    FROM pg_catalog.aclexplode(o.acl) WITH ORDINALITY x
    WHERE NOT EXISTS (
      SELECT FROM pg_catalog.aclexplode(o.base) b
      WHERE (b.grantor, b.grantee, b.privilege_type, b.is_grantable) = (x.grantor, x.grantee, x.privilege_type, x.is_grantable))
  ) a
  LEFT JOIN pg_catalog.pg_roles gr ON gr.oid = a.grantor
  LEFT JOIN pg_catalog.pg_roles ge ON ge.oid = a.grantee
  ORDER BY o.catalogue, o.oid, o.sub, a.verb DESC, a.position, a.privilege_type`

const OBJECTS = `
  WITH objects AS (
    SELECT 'pg_namespace' AS catalogue, n.oid, 0 AS sub, pg_catalog.pg_get_userbyid(n.nspowner) AS owner,
           n.nspacl AS acl, pg_catalog.acldefault('n', n.nspowner) AS base
    FROM pg_catalog.pg_namespace n WHERE n.oid = $1 AND n.nspacl IS NOT NULL
    UNION ALL
    SELECT 'pg_class', c.oid, 0, pg_catalog.pg_get_userbyid(c.relowner), c.relacl,
           pg_catalog.acldefault(CASE c.relkind WHEN 'S' THEN 's'::"char" ELSE 'r'::"char" END, c.relowner)
    FROM pg_catalog.pg_class c WHERE c.relnamespace = $1 AND c.relacl IS NOT NULL
    UNION ALL
    SELECT 'pg_class', a.attrelid, a.attnum, pg_catalog.pg_get_userbyid(c.relowner), a.attacl, pg_catalog.acldefault('c', c.relowner)
    FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
    WHERE c.relnamespace = $1 AND a.attacl IS NOT NULL AND NOT a.attisdropped
    UNION ALL
    SELECT 'pg_proc', p.oid, 0, pg_catalog.pg_get_userbyid(p.proowner), p.proacl, pg_catalog.acldefault('f', p.proowner)
    FROM pg_catalog.pg_proc p WHERE p.pronamespace = $1 AND p.proacl IS NOT NULL
    UNION ALL
    SELECT 'pg_type', t.oid, 0, pg_catalog.pg_get_userbyid(t.typowner), t.typacl, pg_catalog.acldefault('T', t.typowner)
    FROM pg_catalog.pg_type t WHERE t.typnamespace = $1 AND t.typacl IS NOT NULL
  )`

/** One entry per object whose privileges are not the default ones. */
export async function readPrivileges(
  snapshot: Snapshot,
  nodes: readonly DumpNode[],
): Promise<{ nodes: DumpNode[]; notes: string[]; roles: string[] }> {
  const { rows } = await snapshot.client.query<GrantRow>(`${OBJECTS} ${DIFFERENCE}`, [snapshot.schemaOid])
  const targets = new Map<string, { node: DumpNode; target: GrantTarget }>()
  for (const node of nodes) for (const [key, target] of node.grants) targets.set(key, { node, target })
  const entries = new Map<string, { node: DumpNode; target: GrantTarget; rows: GrantRow[] }>()
  const notes: string[] = []
  for (const row of rows) {
    const object = objectKey(row.catalogue, row.oid)
    const key = row.sub ? `${object}/${row.sub}` : object
    const found = targets.get(key)
    if (!found) throw new Error(`privileges of ${key} have no place in the dump`)
    if (row.grantee === null || row.grantor === null) {
      notes.push(`A privilege (${row.privilege}) on ${found.target.on} belongs to a role that does not exist any more: left out.`)
      continue
    }
    const entry = entries.get(key)
    if (entry) entry.rows.push(row)
    else entries.set(key, { ...found, rows: [row] })
  }
  const grants = [...entries].map(([key, entry]) =>
    makeNode({
      key: `acl/${key}`,
      kind: 'ACL',
      name: entry.target.column ? `${entry.target.on}.${entry.target.column}` : entry.target.on,
      owner: entry.node.owner,
      needs: [entry.node.key],
      write: () => grantStatements(entry.target, entry.rows).join('\n'),
    }),
  )
  const roles = rows.flatMap((row) => [row.grantee ?? '', row.grantor ?? '']).filter((role) => role !== '')
  return { nodes: grants, notes, roles }
}

/** Joins privileges that differ in nothing else; a grant by somebody else than the owner is made in that role's name. */
function grantStatements(target: GrantTarget, rows: readonly GrantRow[]): string[] {
  const groups = new Map<string, { row: GrantRow; privileges: string[] }>()
  for (const row of rows) {
    const key = JSON.stringify([row.verb, row.grantor, row.grantee, row.grantable])
    const privilege = target.column ? `${row.privilege}(${target.column})` : row.privilege
    const group = groups.get(key)
    if (group) group.privileges.push(privilege)
    else groups.set(key, { row, privileges: [privilege] })
  }
  return [...groups.values()].flatMap(({ row, privileges }) => {
    const who = row.grantee === '' ? 'PUBLIC' : quoteIdentifier(row.grantee ?? '')
    const list = privileges.join(', ')
    if (row.verb === 'REVOKE') return [`REVOKE ${list} ON ${target.on} FROM ${who};`]
    const grant = `GRANT ${list} ON ${target.on} TO ${who}${row.grantable ? ' WITH GRANT OPTION' : ''};`
    if (row.grantor === row.owner) return [grant]
    return [`SET SESSION AUTHORIZATION ${quoteIdentifier(row.grantor ?? '')};`, grant, 'RESET SESSION AUTHORIZATION;']
  })
}

// A column has no privileges of its own by default, nor has a schema: acldefault('c') is an empty list that aclexplode accepts.
interface DefaultRow extends GrantRow {
  kind: string
}

const DEFAULT_KINDS: Record<string, string> = { r: 'TABLES', S: 'SEQUENCES', f: 'FUNCTIONS', T: 'TYPES' }

/** `ALTER DEFAULT PRIVILEGES … IN SCHEMA`, written last so that they touch nothing of the dump itself. */
export async function readDefaultPrivileges(snapshot: Snapshot): Promise<DumpNode[]> {
  const { rows } = await snapshot.client.query<DefaultRow>(
    `WITH objects AS (
       SELECT 'pg_default_acl' AS catalogue, d.oid, 0 AS sub, pg_catalog.pg_get_userbyid(d.defaclrole) AS owner,
              d.defaclacl AS acl, pg_catalog.acldefault('c', d.defaclrole) AS base
       FROM pg_catalog.pg_default_acl d WHERE d.defaclnamespace = $1
     ), differences AS (${DIFFERENCE})
     SELECT differences.*, d.defaclobjtype::text AS kind FROM differences JOIN pg_catalog.pg_default_acl d USING (oid)`,
    [snapshot.schemaOid],
  )
  return rows.map((row, at) => {
    const kind = DEFAULT_KINDS[row.kind]
    if (!kind || row.grantee === null) throw new Error(`default privileges of kind ${row.kind} are not known`)
    const who = row.grantee === '' ? 'PUBLIC' : quoteIdentifier(row.grantee)
    const head = `ALTER DEFAULT PRIVILEGES FOR ROLE ${quoteIdentifier(row.owner)} IN SCHEMA ${quoteIdentifier(snapshot.schema)}`
    return makeNode({
      key: `${objectKey('pg_default_acl', row.oid)}/${at}`,
      kind: 'DEFAULT ACL',
      name: `DEFAULT PRIVILEGES FOR ${kind}`,
      owner: row.owner,
      write: () => `${head} GRANT ${row.privilege} ON ${kind} TO ${who}${row.grantable ? ' WITH GRANT OPTION' : ''};`,
    })
  })
}
