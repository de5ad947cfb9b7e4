import { quoteIdentifier } from '#engine/foundation/connections/postgres.ts'
import { formatCount, formatPlural } from '#shared/format.ts'
import { type Copy, type Finding, failed, passed, some } from './check.ts'

/** No edge without both ends and its predicate. */
export async function checkEdges({ client, schema, rowCounts }: Copy): Promise<Finding> {
  const table = (name: string) => `${quoteIdentifier(schema)}.${quoteIdentifier(name)}`
  const loose = `FROM ${table('edge')} e WHERE NOT EXISTS (SELECT FROM ${table('rsc')} r WHERE r.id = e.subject_id)
    OR NOT EXISTS (SELECT FROM ${table('rsc')} r WHERE r.id = e.object_id)
    OR NOT EXISTS (SELECT FROM ${table('rsc')} r WHERE r.id = e.predicate_id)`
  const { rows } = await client.query<{ count: string }>(`SELECT count(*) ${loose}`)
  const count = Number(rows[0]?.count ?? 0)
  if (count === 0) return passed(`All ${formatPlural(rowCounts.edge ?? 0, 'edge')} lead from a resource to a resource`)
  const { rows: examples } = await client.query<{ id: number; subject_id: number; predicate_id: number; object_id: number }>(
    `SELECT e.id, e.subject_id, e.predicate_id, e.object_id ${loose} ORDER BY e.id LIMIT 3`,
  )
  const shown = examples.map((edge) => `${edge.id} (${edge.subject_id} → ${edge.object_id})`)
  return failed(
    `${formatCount(count)} of ${formatPlural(rowCounts.edge ?? 0, 'edge')} lack a resource at an end: ${some(shown, count)}`,
  )
}
