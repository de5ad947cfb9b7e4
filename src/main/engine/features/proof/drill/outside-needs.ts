import { isTroubleOfTheWay } from '#engine/foundation/repository/way-trouble.ts'
import { AppError } from '#shared/errors.ts'

/** What a dump takes from extensions that Zotonic sites are known to use, by the names that turn up in dumps. */
const EXTENSION_OF: Record<string, string> = {
  geometry: 'postgis',
  geography: 'postgis',
  box2d: 'postgis',
  box3d: 'postgis',
  raster: 'postgis_raster',
  vector: 'vector',
  halfvec: 'vector',
  hstore: 'hstore',
  citext: 'citext',
  ltree: 'ltree',
  lquery: 'ltree',
  cube: 'cube',
  earth: 'earthdistance',
  ll_to_earth: 'earthdistance',
  gin_trgm_ops: 'pg_trgm',
  gist_trgm_ops: 'pg_trgm',
  similarity: 'pg_trgm',
  gin__int_ops: 'intarray',
  gist__int_ops: 'intarray',
  uuid_generate_v1: 'uuid-ossp',
  uuid_generate_v4: 'uuid-ossp',
  unaccent: 'unaccent',
  gen_random_bytes: 'pgcrypto',
  crypt: 'pgcrypto',
  gen_salt: 'pgcrypto',
  digest: 'pgcrypto',
  levenshtein: 'fuzzystrmatch',
  soundex: 'fuzzystrmatch',
  metaphone: 'fuzzystrmatch',
  dmetaphone: 'fuzzystrmatch',
}

/** The extension that an object belongs to, by its name; null: none that is known. */
export function extensionOf(object: string): string | null {
  if (Object.hasOwn(EXTENSION_OF, object)) return EXTENSION_OF[object] ?? null
  return /^_?st_[a-z]/.test(object) ? 'postgis' : null
}

/** Errors of a server that lacks something, by SQLSTATE: undefined object, function, table, schema; not supported; no such file. */
const LACKS = new Set(['42704', '42883', '42P01', '3F000', '0A000', '58P01'])
/** Of a server in trouble, by class: resources, operator, system. */
const TROUBLE = /^(?:53|57|58)/
const SQLSTATE = /^[0-9A-Z]{5}$/

/** Errors of reading and of this computer, which say nothing about the backup. */
const NOT_THE_BACKUP = new Set([
  'cancelled',
  'changed-while-reading',
  'password-needed',
  'worker-crashed',
  'commit-unknown',
  'connection-lost',
  'database-locked',
  'database-password',
  'database-unknown',
  'database-unreachable',
  'load-failed',
  'internal',
  'disk-full',
  'no-permission',
  'not-found',
  'read-only',
  'timeout',
])

/** Whether an error is about the backup, and not about reading it or about this computer. */
export function saysSomething(error: unknown): error is AppError {
  return error instanceof AppError && !NOT_THE_BACKUP.has(error.code) && !isTroubleOfTheWay(error)
}

/** Why a dump did not load. */
export interface LoadFailure {
  /** `failed`: the backup is at fault. `unknown`: the embedded PostgreSQL lacks something that is not in the backup. */
  outcome: 'failed' | 'unknown'
  finding: string
}

/**
 * Tells a bad backup from one that can't be restored here, and both from trouble of this computer.
 * @param schema the dump's own schema
 * @throws the error itself when it says nothing about the backup
 */
export function judgeLoadError(error: unknown, schema: string): LoadFailure {
  if (!saysSomething(error)) throw error
  const finding = error.message.replace(/ The live database is exactly as before\.$/, '').replace(/\.$/, '')
  const { system, server } = error.details
  if (error.code !== 'statement-failed' || system === undefined) return { outcome: 'failed', finding }
  const lacks = LACKS.has(String(system)) ? missingOutside(String(server), schema) : null
  if (lacks !== null) return { outcome: 'unknown', finding: lacks }
  if (!SQLSTATE.test(String(system)) || TROUBLE.test(String(system))) throw error
  return { outcome: 'failed', finding }
}

const MISSING =
  /(type|function|operator class|operator|schema|collation|relation|text search \w+|tablespace|access method) ("?)(.+?)\2(?:\(.*\))? (?:for .+ )?does not exist/

const UNFOUND_ANYWHERE = new Set(['type', 'function', 'operator', 'operator class', 'relation'])

/**
 * What a server lacks that no backup of a site holds, in words, from what it said: `type "public.geometry" does not
 * exist`. null: something of the dump's own schema, which the dump itself should have made.
 */
export function missingOutside(message: string, schema: string): string | null {
  const [, compression] = /compression method (\S+) not supported/.exec(message) ?? []
  if (compression !== undefined) return cannot(`compression by ${compression} is not in the built-in PostgreSQL`)
  const [, kind, , object] = MISSING.exec(message) ?? []
  if (kind === undefined || object === undefined) return null
  const path = object.replaceAll('"', '').split('.')
  const name = path.at(-1) ?? ''
  const place = path.length > 1 ? path[0] : null
  const extension = extensionOf(name)
  if (place === schema && extension !== null)
    return cannot(`extension ${extension} was in the site’s schema, where a dump leaves it out`)
  if (place === schema || (kind === 'schema' && name === schema)) return null
  // dumps are loaded with an empty search path: without its schema, nothing but PostgreSQL's own is found anywhere
  if (place === null && UNFOUND_ANYWHERE.has(kind)) return null
  if (extension !== null) return cannot(`extension ${extension} is not in the built-in PostgreSQL`)
  return cannot(`it needs the ${kind} ${object.slice(0, 200)}, which is neither in the backup nor in the built-in PostgreSQL`)
}

function cannot(why: string): string {
  return `${why}: this backup can’t be drilled here`
}
