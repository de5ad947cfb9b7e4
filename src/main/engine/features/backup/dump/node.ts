import { quoteIdentifier } from '#engine/foundation/connections/postgres.ts'

/** One row of a system catalogue, e.g. `pg_class/16400`; made-up entries (`data/16400`) have the same form. */
export type ObjectKey = string

export function objectKey(catalogue: string, oid: number): ObjectKey {
  return `${catalogue}/${oid}`
}

/** Kinds in the order in which they are written when nothing else decides. */
export const NODE_KINDS = [
  'SCHEMA',
  'TYPE',
  'DOMAIN',
  'FUNCTION',
  'PROCEDURE',
  'SEQUENCE',
  'TABLE',
  'VIEW',
  'MATERIALIZED VIEW',
  'DEFAULT',
  'IDENTITY',
  'SEQUENCE OWNED BY',
  'VIEW DEFINITION',
  'TABLE DATA',
  'SEQUENCE SET',
  'CONSTRAINT',
  'CHECK CONSTRAINT',
  'INDEX',
  'STATISTICS',
  'TRIGGER',
  'FK CONSTRAINT',
  'ACL',
  'DEFAULT ACL',
  'MATERIALIZED VIEW DATA',
] as const

export type NodeKind = (typeof NODE_KINDS)[number]

/** Where the rows of a table come from. */
export interface TableRows {
  table: string
  /** Quoted list in brackets with a space before it; empty for a table without columns. */
  columns: string
}

/** One entry of the dump: something that is created, filled or set, with what must come before it. */
export interface DumpNode {
  readonly key: ObjectKey
  readonly kind: NodeKind
  /** As it stands in the entry's heading. */
  readonly name: string
  readonly owner: string
  /** Keys that must be written before, besides what `pg_depend` says. */
  readonly needs: Set<ObjectKey>
  /** Other catalogue rows that this entry creates along: row types, array types, a view's rule. */
  readonly includes: ObjectKey[]
  /** `COMMENT ON` targets by `catalogue/oid` or `catalogue/oid/column`. */
  readonly comments: Map<string, string>
  /** `GRANT … ON` targets in the same way; a column's has its name too. */
  readonly grants: Map<string, GrantTarget>
  /**
   * Set for a default, a check or a view's query: the entry that it is written inside of, as long as that makes no
   * circle of dependencies. See order.ts.
   */
  inside: DumpNode | null
  /** The parts that may be written inside of this one. */
  readonly parts: DumpNode[]
  /** The statements, without final line end; called when the order is settled. Empty for rows only. */
  write(): string
  readonly rows?: TableRows
}

export interface GrantTarget {
  /** What follows ON: `TABLE "s"."t"`. */
  on: string
  /** Quoted column for a grant on a column. */
  column?: string
}

export interface NodeInit extends Partial<Pick<DumpNode, 'includes' | 'inside' | 'rows'>> {
  key: ObjectKey
  kind: NodeKind
  name: string
  owner: string
  needs?: Iterable<ObjectKey>
  write(): string
}

export function makeNode(init: NodeInit): DumpNode {
  const node: DumpNode = {
    key: init.key,
    kind: init.kind,
    name: init.name,
    owner: init.owner,
    needs: new Set(init.needs),
    includes: init.includes ?? [],
    comments: new Map(),
    grants: new Map(),
    inside: init.inside ?? null,
    parts: [],
    write: init.write,
    rows: init.rows,
  }
  init.inside?.parts.push(node)
  return node
}

export function dataKey(tableOid: number): ObjectKey {
  return objectKey('data', tableOid)
}

export function qualified(schema: string, name: string): string {
  return `${quoteIdentifier(schema)}.${quoteIdentifier(name)}`
}

/** `a=1`, as the catalogue keeps storage options, becomes `a='1'`, each behind the prefix (`toast.`). */
export function optionList(options: readonly string[] | null, quote: (text: string) => string, prefix = ''): string[] {
  return (options ?? []).map((option) => {
    const at = option.indexOf('=')
    const name = at < 0 ? option : option.slice(0, at)
    const value = at < 0 ? '' : option.slice(at + 1)
    return `${prefix}${quoteIdentifier(name)}=${quote(value)}`
  })
}
