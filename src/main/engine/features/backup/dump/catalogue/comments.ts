import { quoteLiteral } from '#engine/foundation/connections/postgres.ts'
import { type DumpNode, objectKey } from '../node.ts'
import type { Snapshot } from '../session.ts'
import { OURS } from '../survey.ts'

/** `COMMENT ON` statements by the entry that they follow; notes tell of those that have no place. */
export async function readComments(
  snapshot: Snapshot,
  nodes: readonly DumpNode[],
): Promise<{ comments: Map<DumpNode, string[]>; notes: string[] }> {
  const { rows } = await snapshot.client.query<CommentRow>(
    `WITH ${OURS}
     SELECT c.relname AS catalogue, d.objoid AS oid, d.objsubid AS sub, d.description AS text,
            pg_catalog.pg_describe_object(d.classoid, d.objoid, d.objsubid) AS name
     FROM ours
     JOIN pg_catalog.pg_description d ON d.classoid = ours.class AND d.objoid = ours.oid
     JOIN pg_catalog.pg_class c ON c.oid = d.classoid
     ORDER BY c.relname, d.objoid, d.objsubid`,
    [snapshot.schemaOid],
  )
  const targets = new Map<string, { node: DumpNode; target: string }>()
  for (const node of nodes) for (const [key, target] of node.comments) targets.set(key, { node, target })
  const comments = new Map<DumpNode, string[]>()
  const notes: string[] = []
  for (const row of rows) {
    const object = objectKey(row.catalogue, row.oid)
    const found = targets.get(row.sub ? `${object}/${row.sub}` : object)
    if (!found) {
      notes.push(`The comment on ${row.name} is left out.`)
      continue
    }
    const statement = `COMMENT ON ${found.target} IS ${quoteLiteral(row.text)};`
    const list = comments.get(found.node)
    if (list) list.push(statement)
    else comments.set(found.node, [statement])
  }
  return { comments, notes }
}

interface CommentRow {
  catalogue: string
  oid: number
  sub: number
  text: string
  /** In the server's words. */
  name: string
}
