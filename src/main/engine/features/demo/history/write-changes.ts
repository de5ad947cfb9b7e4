import { mkdir, rm, utimes, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type pg from 'pg'
import { quoteIdentifier } from '#engine/foundation/connections/postgres.ts'
import { encodeDatabaseTerm } from '#engine/foundation/erlang/encode.ts'
import { insertRows } from './insert-rows.ts'
import { CONTENT_GROUP, englishOf, mediumProps, monthDayOf, propsTerm, rootnameOf, slugOf } from './properties.ts'
import { type Changes, type Edge, LOG_TABLES, type Medium, type Resource, type Row } from './records.ts'
import type { SiteHistory } from './site-history.ts'

/** Tables whose triggers would write logs of this very moment; the story writes its own, of the past. */
const TABLES_WITH_TRIGGERS = ['rsc', 'edge', 'medium']
const SERIAL_TABLES = [
  'rsc',
  'edge',
  'edge_log',
  'medium_log',
  'medium_deleted',
  'identity',
  'predicate_category',
  'config',
  'module',
  'log',
  'backup_revision',
  'backup_edge_log',
  'backup_medium_log',
]

/** Writes what happened since the last time into the site's database, in one transaction. */
export async function writeToDatabase(client: pg.Client, schema: string, history: SiteHistory, changes: Changes): Promise<void> {
  await client.query('BEGIN')
  await client.query(`SET LOCAL search_path TO ${quoteIdentifier(schema)}`)
  for (const table of TABLES_WITH_TRIGGERS) await client.query(`ALTER TABLE ${table} DISABLE TRIGGER USER`)
  await client.query('DELETE FROM edge WHERE id = ANY ($1)', [[...changes.removedEdges]])
  await client.query('DELETE FROM rsc WHERE id = ANY ($1)', [[...changes.removedResources]])
  const resources = [...changes.resources].map((id) => resourceRow(history.resource(id), history))
  await insertRows(client, 'rsc', resources, { replace: ['id'] })
  await client.query(`UPDATE rsc SET pivot_tsv = to_tsvector('pg_catalog.simple', pivot_title) WHERE id = ANY ($1)`, [
    [...changes.resources],
  ])
  await client.query('INSERT INTO protect (id) SELECT id FROM rsc WHERE is_protected ON CONFLICT DO NOTHING')
  const media = [...changes.media].flatMap((id) => history.media.get(id) ?? [])
  await insertRows(client, 'medium', media.map(mediumRow), { replace: ['id'] })
  await insertRows(client, 'edge', changes.edges.map(edgeRow))
  for (const table of LOG_TABLES) await insertRows(client, table, changes.rows[table])
  await insertRows(client, 'backup_medium_log', [...changes.mediumLog.values()], { replace: ['id'] })
  await insertRows(client, 'config', [...changes.config.values()], { replace: ['module', 'key'] })
  for (const table of SERIAL_TABLES) {
    await client.query(`SELECT setval('${table}_id_seq', (SELECT coalesce(max(id), 1) FROM ${table}))`)
  }
  for (const table of TABLES_WITH_TRIGGERS) await client.query(`ALTER TABLE ${table} ENABLE TRIGGER USER`)
  await client.query('COMMIT')
}

/** Writes new media files, with the date of their upload, and removes erased ones. */
export async function writeToDisk(archiveDir: string, changes: Changes): Promise<void> {
  for (const [filename, file] of changes.files) {
    const path = join(archiveDir, filename)
    if (file === null) {
      await rm(path, { force: true })
      continue
    }
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, file.bytes)
    await utimes(path, file.modified, file.modified)
  }
}

function resourceRow(resource: Resource, history: SiteHistory): Row {
  return {
    id: resource.id,
    name: resource.name,
    is_published: resource.isPublished,
    is_featured: resource.isFeatured,
    is_protected: resource.isProtected,
    is_dependent: resource.isDependent,
    publication_start: resource.publicationStart,
    content_group_id: CONTENT_GROUP,
    creator_id: resource.creatorId,
    modifier_id: resource.modifierId,
    version: resource.version,
    category_id: resource.categoryId,
    language: resource.languages,
    slug: slugOf(resource.title),
    props: encodeDatabaseTerm(propsTerm(resource)),
    created: resource.created,
    modified: resource.modified,
    pivot_category_nr: history.categoryNumbers.get(resource.categoryId),
    pivot_page_path: resource.pagePath === null ? null : [resource.pagePath],
    pivot_first_name: resource.firstName?.toLowerCase(),
    pivot_surname: resource.surname?.toLowerCase(),
    pivot_date_start: resource.dateStart,
    pivot_date_end: resource.dateEnd,
    pivot_date_start_month_day: monthDayOf(resource.dateStart),
    pivot_date_end_month_day: monthDayOf(resource.dateEnd),
    pivot_title: englishOf(resource.title).toLowerCase().slice(0, 100),
    pivot_location_lat: resource.latitude,
    pivot_location_lng: resource.longitude,
  }
}

function mediumRow(medium: Medium): Row {
  return {
    id: medium.id,
    filename: medium.filename,
    rootname: rootnameOf(medium.filename),
    mime: medium.mime,
    width: medium.width,
    height: medium.height,
    digest: medium.digest,
    size: medium.size,
    is_deletable_file: true,
    props: encodeDatabaseTerm(mediumProps(medium)),
    created: medium.created,
  }
}

function edgeRow(edge: Edge): Row {
  return {
    id: edge.id,
    subject_id: edge.subjectId,
    predicate_id: edge.predicateId,
    object_id: edge.objectId,
    seq: edge.seq,
    creator_id: edge.creatorId,
    created: edge.created,
  }
}
