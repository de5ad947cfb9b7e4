import type { Term } from '#engine/foundation/erlang/terms.ts'
import type { Text } from '../content/types.ts'

/** A resource as it stands at a moment of the story. */
export interface Resource {
  id: number
  name: string | null
  categoryId: number
  isPublished: boolean
  isFeatured: boolean
  isProtected: boolean
  isDependent: boolean
  publicationStart: Date
  creatorId: number
  modifierId: number
  version: number
  languages: string[]
  title: Text | string
  pagePath: string | null
  dateStart: Date | null
  dateEnd: Date | null
  firstName: string | null
  surname: string | null
  latitude: number | null
  longitude: number | null
  created: Date
  modified: Date
  /** Everything that is not a column: texts, blocks, ... */
  props: Map<string, Term>
  /** Sites that are old have property lists with atoms as keys for their first resources. */
  isPropertyList: boolean
}

export interface Edge {
  id: number
  subjectId: number
  predicateId: number
  objectId: number
  seq: number
  creatorId: number
  created: Date
}

export interface Medium {
  id: number
  filename: string
  originalName: string
  mime: string
  width: number
  height: number
  digest: string
  size: number
  created: Date
}

/** A file that is uploaded. */
export interface MediaFile {
  name: string
  mime: string
  width: number
  height: number
  bytes: Buffer
}

/** A row to be added, by column. */
export type Row = Record<string, unknown>

/** Tables that only ever grow. */
export const LOG_TABLES = [
  'backup_revision',
  'backup_edge_log',
  'edge_log',
  'medium_log',
  'medium_deleted',
  'log',
  'rsc_gone',
  'identity',
  'module',
  'predicate_category',
  'hierarchy',
] as const
export type LogTable = (typeof LOG_TABLES)[number]

/** What happened since the last time that it was written to the database and the disk. */
export interface Changes {
  resources: Set<number>
  removedResources: Set<number>
  edges: Edge[]
  removedEdges: Set<number>
  media: Set<number>
  /** Row of backup_medium_log by its id. */
  mediumLog: Map<number, Row>
  config: Map<string, Row>
  rows: Record<LogTable, Row[]>
  /** Media files by their path below the archive folder; null: erased. */
  files: Map<string, { bytes: Buffer; modified: Date } | null>
}

export function noChanges(): Changes {
  return {
    resources: new Set(),
    removedResources: new Set(),
    edges: [],
    removedEdges: new Set(),
    media: new Set(),
    mediumLog: new Map(),
    config: new Map(),
    rows: Object.fromEntries(LOG_TABLES.map((table) => [table, []])) as unknown as Record<LogTable, Row[]>,
    files: new Map(),
  }
}
