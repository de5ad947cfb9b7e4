import { quoteIdentifier } from '#engine/foundation/connections/postgres.ts'
import { type DumpNode, makeNode, objectKey } from '../node.ts'
import type { Snapshot } from '../session.ts'

/** The schema itself. Everything else needs it. */
export async function readSchema(snapshot: Snapshot): Promise<DumpNode> {
  const { rows } = await snapshot.client.query<{ owner: string }>(
    'SELECT pg_catalog.pg_get_userbyid(nspowner) AS owner FROM pg_catalog.pg_namespace WHERE oid = $1',
    [snapshot.schemaOid],
  )
  const owner = rows[0]?.owner ?? ''
  const name = quoteIdentifier(snapshot.schema)
  const key = objectKey('pg_namespace', snapshot.schemaOid)
  const node = makeNode({
    key,
    kind: 'SCHEMA',
    name: snapshot.schema,
    owner,
    write: () => `CREATE SCHEMA ${name};\n\n\nALTER SCHEMA ${name} OWNER TO ${quoteIdentifier(owner)};`,
  })
  node.comments.set(key, `SCHEMA ${name}`)
  node.grants.set(key, { on: `SCHEMA ${name}` })
  return node
}
