import { pipeline } from 'node:stream/promises'
import { from as copyFrom } from 'pg-copy-streams'
import { quoteIdentifier } from '#engine/foundation/connections/postgres.ts'
import type { TarEntry } from '#engine/foundation/content/read-tar.ts'
import { formatBytes, formatCount, formatPlural } from '#shared/format.ts'
import { type Copy, type Finding, failed, passed, some } from './check.ts'

const EXAMPLES = 3

/** Which file of the archive a medium says it has. Source: docs/formats.md, "Proof". */
interface Difference {
  missing: number
  missing_names: string[]
  differing: number
  differing_names: string[]
  expected: number
  elsewhere: number
  files: number
  bytes: string
}

/**
 * Whether every uploaded medium of the restored database is in the media archive, with the size that it had.
 * @param archive the entries of the media archive
 */
export async function checkMedia({ client, schema, signal }: Copy, archive: AsyncIterable<TarEntry>): Promise<Finding> {
  await client.query('CREATE TEMPORARY TABLE archived (name text NOT NULL, size bigint NOT NULL)')
  await pipeline(rowsOf(archive), client.query(copyFrom('COPY pg_temp.archived FROM STDIN')), { signal })
  await client.query('CREATE INDEX ON pg_temp.archived (name)')
  await client.query('ANALYZE pg_temp.archived')
  const table = (name: string) => `${quoteIdentifier(schema)}.${quoteIdentifier(name)}`
  const { rows } = await client.query<Difference>(
    `WITH named AS MATERIALIZED (
       SELECT m.filename::text AS name, m.size::bigint AS size FROM ${table('medium')} m
       WHERE m.is_deletable_file AND m.filename <> '' AND m.filename !~ '^(lib/|[a-z][a-z0-9+.-]*:)'),
     moved AS MATERIALIZED (${await movedAway(client, schema)}),
     found AS MATERIALIZED (
       SELECT n.name, n.size, (SELECT max(a.size) FROM pg_temp.archived a WHERE a.name = n.name) AS has,
              n.name IN (SELECT name FROM moved) AS is_moved
       FROM named n)
     SELECT count(*)::int AS expected,
            count(*) FILTER (WHERE has IS NULL AND NOT is_moved)::int AS missing,
            (array_agg(name ORDER BY name) FILTER (WHERE has IS NULL AND NOT is_moved))[1:${EXAMPLES}] AS missing_names,
            count(*) FILTER (WHERE has IS NOT NULL AND size > 0 AND has <> size)::int AS differing,
            (array_agg(name ORDER BY name) FILTER (WHERE has IS NOT NULL AND size > 0 AND has <> size))[1:${EXAMPLES}] AS differing_names,
            count(*) FILTER (WHERE has IS NULL AND is_moved)::int AS elsewhere,
            (SELECT count(*)::int FROM pg_temp.archived) AS files,
            (SELECT coalesce(sum(size), 0) FROM pg_temp.archived) AS bytes
     FROM found`,
  )
  return judge(rows[0])
}

function judge(found: Difference | undefined): Finding {
  if (!found) return failed('Nothing could be compared')
  const { expected, missing, differing, elsewhere, files, bytes } = found
  const problems = [
    ...(missing > 0
      ? [
          `${formatPlural(missing, 'file')} that ${missing === 1 ? 'is' : 'are'} named ${missing === 1 ? 'is' : 'are'} not in the archive: ${some(found.missing_names, missing)}`,
        ]
      : []),
    ...(differing > 0
      ? [`${formatPlural(differing, 'file')} of another size than recorded: ${some(found.differing_names, differing)}`]
      : []),
  ]
  const counts = `${formatPlural(expected, 'medium', 'media')}, ${formatPlural(files, 'file')} in the archive (${formatBytes(Number(bytes))})`
  if (problems.length > 0) return failed(`${problems.join('; ')} (${counts})`)
  const away = elsewhere > 0 ? `; ${formatCount(elsewhere)} in the filestore` : ''
  const present = expected - elsewhere
  const extra = files - present
  return passed(`${counts}: all there${away}${extra > 0 ? `; ${formatCount(extra)} more, which no medium names any longer` : ''}`)
}

/** Names that mod_filestore has taken to the filestore, when the site has that table. */
async function movedAway(client: Copy['client'], schema: string): Promise<string> {
  const { rows } = await client.query(
    `SELECT 1 FROM pg_catalog.pg_attribute a JOIN pg_catalog.pg_class c ON c.oid = a.attrelid
     JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace
     WHERE n.nspname = $1 AND c.relname = 'filestore' AND a.attname = 'path'`,
    [schema],
  )
  if (rows.length === 0) return `SELECT ''::text AS name WHERE false`
  return `SELECT regexp_replace(path::text, '^archive/', '') AS name FROM ${quoteIdentifier(schema)}.filestore`
}

/** COPY's text format, a line per file. */
async function* rowsOf(archive: AsyncIterable<TarEntry>): AsyncGenerator<string> {
  for await (const { kind, name, size, content } of archive) {
    for await (const _ of content);
    if (kind !== 'file') continue
    yield `${escaped(name.replace(/^(?:\.\/)+/, ''))}\t${size}\n`
  }
}

function escaped(text: string): string {
  return text.replaceAll('\\', '\\\\').replaceAll('\t', '\\t').replaceAll('\n', '\\n').replaceAll('\r', '\\r')
}
