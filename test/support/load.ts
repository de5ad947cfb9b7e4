import { createReadStream } from 'node:fs'
import { Readable } from 'node:stream'
import { type LoadRequest, loadDump } from '#engine/features/restore/load.ts'
import { gunzip } from '#engine/foundation/content/gunzip.ts'
import type { Postgres15 } from './postgres.ts'

export const KEPT = 'testsite_before_20261123094200'

/** The plain bytes of a stored dump. */
export function unpackedDump(file: string): AsyncGenerator<Buffer> {
  return gunzip(createReadStream(file))
}

/** Loads a script onto a database of the tests, as the role that a site has. */
export function load(
  postgres: Postgres15,
  database: string,
  script: AsyncIterable<Buffer> | string,
  more: Partial<LoadRequest> = {},
) {
  return loadDump({
    connection: postgres.connection(database, 'zotonic'),
    script: typeof script === 'string' ? Readable.from([Buffer.from(script)]) : script,
    schema: 'testsite',
    keepLiveAs: KEPT,
    signal: new AbortController().signal,
    ...more,
  })
}

/** What pg_dump says of a whole database, without the keys that differ each time. */
export async function dumpOf(postgres: Postgres15, database: string): Promise<string> {
  return (await postgres.pgDump(database, ['--quote-all-identifiers'])).replace(/^\\(un)?restrict .*\n/gm, '')
}
