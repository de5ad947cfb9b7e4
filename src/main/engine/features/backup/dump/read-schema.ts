import { readColumns } from './catalogue/columns.ts'
import { readComments } from './catalogue/comments.ts'
import { readConstraints } from './catalogue/constraints.ts'
import { type Dependency, readDependencies, readExtensionsNeeded } from './catalogue/dependencies.ts'
import { readFunctions } from './catalogue/functions.ts'
import { readIndexes } from './catalogue/indexes.ts'
import { readDefaultPrivileges, readPrivileges } from './catalogue/privileges.ts'
import { type Relation, readRelations } from './catalogue/relations.ts'
import { readSchema } from './catalogue/schema.ts'
import { readSequences } from './catalogue/sequences.ts'
import { foreignKeyNodes, readStatistics, readTriggers } from './catalogue/table-rules.ts'
import { tableNodes } from './catalogue/tables.ts'
import { readTypes } from './catalogue/types.ts'
import { materializedViewNode, refreshNode, viewNodes } from './catalogue/views.ts'
import { unsupportedError } from './errors.ts'
import { type DumpNode, objectKey } from './node.ts'
import { orderNodes } from './order.ts'
import type { Snapshot } from './session.ts'
import { surveyNotes, surveyPlaces, surveyUnsupported } from './survey.ts'

/** Everything that is known of the schema before the first byte is written. */
export interface ReadSchema {
  /** In the order in which they are written. */
  entries: DumpNode[]
  comments: Map<DumpNode, string[]>
  /** What stays behind, in sentences. */
  notes: string[]
  /** What a database must have so that the dump can be loaded. */
  extensions: string[]
  roles: string[]
  tableCount: number
}

/**
 * Reads all definitions, refuses what is not handled, and settles the order.
 * @throws AppError `dump-unsupported`
 */
export async function readWholeSchema(snapshot: Snapshot): Promise<ReadSchema> {
  const unsupported = await surveyUnsupported(snapshot)
  if (unsupported.length > 0) throw unsupportedError(snapshot.schema, unsupported)
  const notes = [...(await surveyNotes(snapshot)), ...(await surveyPlaces(snapshot))]
  // names in messages above are quoted where needed; from here on everywhere, as an SQL script should be
  await snapshot.client.query('SET LOCAL quote_all_identifiers = on')

  const constraints = await readConstraints(snapshot)
  const relations = await readRelations(snapshot)
  const relationsByOid = new Map(relations.map((relation) => [relation.oid, relation]))
  const columns = await readColumns(snapshot)
  const dependencies = await readDependencies(snapshot)
  const indexes = await readIndexes(snapshot, constraints)
  const nodes: DumpNode[] = [
    ...(await readTypes(snapshot, constraints)),
    ...(await readFunctions(snapshot)),
    ...(await readSequences(snapshot)),
    ...indexes.nodes,
    ...foreignKeyNodes(snapshot.schema, relationsByOid, constraints),
    ...(await readTriggers(snapshot, relationsByOid)),
    ...(await readStatistics(snapshot)),
    ...(await readDefaultPrivileges(snapshot)),
  ]
  for (const relation of relations) {
    const own = columns.get(relation.oid) ?? []
    if (relation.kind === 'v') nodes.push(...viewNodes(snapshot.schema, relation, own))
    else if (relation.kind === 'm') nodes.push(materializedViewNode(snapshot.schema, relation, own))
    else {
      const rules = constraints.filter((constraint) => constraint.relationOid === relation.oid)
      nodes.push(...tableNodes(snapshot.schema, relation, own, rules))
    }
  }
  const refreshes = refreshNodes(snapshot.schema, relations, dependencies)
  nodes.push(...refreshes.nodes)
  const schemaNode = await readSchema(snapshot)
  for (const node of nodes) node.needs.add(schemaNode.key)
  nodes.unshift(schemaNode)

  const privileges = await readPrivileges(snapshot, nodes)
  nodes.push(...privileges.nodes)
  const { comments, notes: lostComments } = await readComments(snapshot, nodes)
  return {
    entries: orderNodes(snapshot.schema, nodes, dependencies),
    comments,
    notes: [...notes, ...indexes.notes, ...refreshes.notes, ...privileges.notes, ...lostComments],
    extensions: await readExtensionsNeeded(snapshot),
    roles: [...new Set([...nodes.map((node) => node.owner), ...privileges.roles])].sort(),
    tableCount: relations.filter((relation) => relation.kind === 'r').length,
  }
}

/**
 * REFRESH for the materialised views that hold rows, after those that they read. One that reads an empty one can't be
 * filled; pg_dump leaves it empty too.
 */
function refreshNodes(
  schema: string,
  relations: readonly Relation[],
  dependencies: readonly Dependency[],
): { nodes: DumpNode[]; notes: string[] } {
  const views = relations.filter((relation) => relation.kind !== 'r')
  const byRule = new Map(views.map((view) => [objectKey('pg_rewrite', view.ruleOid), view]))
  const byRelation = new Map(views.map((view) => [objectKey('pg_class', view.oid), view]))
  const reads = new Map<Relation, Set<Relation>>(views.map((view) => [view, new Set()]))
  for (const { from, on } of dependencies) {
    const reader = byRule.get(from)
    const read = byRelation.get(on)
    if (reader && read && reader !== read) reads.get(reader)?.add(read)
  }
  const nodes: DumpNode[] = []
  const notes: string[] = []
  for (const view of views.filter((candidate) => candidate.kind === 'm' && candidate.populated)) {
    const before = [...reachable(view, reads)].filter((other) => other.kind === 'm' && other !== view)
    const empty = before.find((other) => !other.populated)
    if (empty) {
      notes.push(`Materialized view ${view.name} stays empty in the copy: it reads ${empty.name}, which is not filled.`)
      continue
    }
    nodes.push(
      refreshNode(
        schema,
        view,
        before.map((other) => other.oid),
      ),
    )
  }
  return { nodes, notes }
}

function reachable(from: Relation, reads: ReadonlyMap<Relation, ReadonlySet<Relation>>): Set<Relation> {
  const seen = new Set<Relation>()
  const queue = [from]
  for (let view = queue.pop(); view; view = queue.pop()) {
    for (const next of reads.get(view) ?? []) {
      if (seen.has(next)) continue
      seen.add(next)
      queue.push(next)
    }
  }
  return seen
}
