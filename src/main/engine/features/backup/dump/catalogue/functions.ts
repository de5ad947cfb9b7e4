import { quoteIdentifier } from '#engine/foundation/connections/postgres.ts'
import { type DumpNode, makeNode, objectKey, qualified } from '../node.ts'
import type { Snapshot } from '../session.ts'

interface FunctionRow {
  oid: number
  proname: string
  prokind: 'f' | 'p'
  owner: string
  definition: string
  args: string
}

/** Functions and procedures in any language. */
export async function readFunctions(snapshot: Snapshot): Promise<DumpNode[]> {
  const { rows } = await snapshot.client.query<FunctionRow>(
    `SELECT p.oid, p.proname, p.prokind::text AS prokind, pg_catalog.pg_get_userbyid(p.proowner) AS owner,
            pg_catalog.pg_get_functiondef(p.oid) AS definition, pg_catalog.pg_get_function_identity_arguments(p.oid) AS args
     FROM pg_catalog.pg_proc p WHERE p.pronamespace = $1 AND p.prokind IN ('f', 'p') ORDER BY p.proname, args`,
    [snapshot.schemaOid],
  )
  return rows.map((row) => {
    const kind = row.prokind === 'p' ? 'PROCEDURE' : 'FUNCTION'
    const target = `${qualified(snapshot.schema, row.proname)}(${row.args})`
    const key = objectKey('pg_proc', row.oid)
    // a dump never replaces what is there
    const definition = row.definition.replace(/^CREATE OR REPLACE /, 'CREATE ').trimEnd()
    const node = makeNode({
      key,
      kind,
      name: `${row.proname}(${row.args})`,
      owner: row.owner,
      write: () => `${definition};\n\n\nALTER ${kind} ${target} OWNER TO ${quoteIdentifier(row.owner)};`,
    })
    node.comments.set(key, `${kind} ${target}`)
    node.grants.set(key, { on: `${kind} ${target}` })
    return node
  })
}
