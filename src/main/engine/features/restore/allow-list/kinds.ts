/** Kinds whose name comes right after the kind, wherever a statement is about one: its comment, its owner, its end. */
export const NAMED_KINDS: string[][] = [
  ['aggregate'],
  ['collation'],
  ['domain'],
  ['function'],
  ['index'],
  ['materialized', 'view'],
  ['procedure'],
  ['sequence'],
  ['statistics'],
  ['table'],
  ['text', 'search', 'configuration'],
  ['text', 'search', 'dictionary'],
  ['type'],
  ['view'],
]
