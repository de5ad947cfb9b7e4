import { randomBytes } from 'node:crypto'
import { mkdir, rm } from 'node:fs/promises'
import { generatePassword } from '#engine/features/encryption/index.ts'
import {
  connectPostgres,
  type PostgresConnection,
  quoteIdentifier,
  quoteLiteral,
} from '#engine/foundation/connections/postgres.ts'
import type { EngineContext } from '#engine/foundation/context.ts'
import { type Cluster, removeCluster, startCluster } from '#engine/foundation/embedded-postgres/cluster.ts'
import { writeFileAtomic } from '#engine/foundation/files/atomic.ts'
import type { JobContext } from '#engine/foundation/jobs/types.ts'
import type { MediaFile } from './history/records.ts'
import { writeToDatabase, writeToDisk } from './history/write-changes.ts'
import { makeUploads } from './media/uploads.ts'
import { captureNight, type SiteOfNight, storeNight } from './past-backups.ts'
import { DATABASE, type DemoPlaces, demoSite, markMade } from './places.ts'
import { createSiteSchema } from './schema/create.ts'
import { writeSiteFiles } from './site-files.ts'
import { encryptionStart, keptNights, type Night } from './story/nights.ts'
import type { Story } from './story/story.ts'
import { liveUntil, tellStory } from './story/tell.ts'

/** About as many files as {@link makeUploads} paints. */
const UPLOADS = 51

/**
 * Makes the demo from nothing and leaves its database running. Whatever an earlier attempt left goes first; a failure
 * or a cancel leaves nothing, and a crash leaves no marker, so that the next start begins anew.
 * @param onShown called as soon as the site can be looked at; its encrypted backups, which take longest, follow
 */
export async function makeDemo(
  context: EngineContext,
  job: JobContext,
  places: DemoPlaces,
  onShown: (cluster: Cluster) => Promise<void>,
): Promise<Cluster> {
  await clearAway(places)
  try {
    await mkdir(places.root, { recursive: true, mode: 0o700 })
    job.phase('Starting PostgreSQL, painting pictures', UPLOADS, 'files')
    const [cluster, uploads] = await bothOrNone(job.signal, (signal) => [
      startCluster({
        folder: places.cluster,
        purpose: 'demo',
        program: context.program,
        signal,
        onStep: (text) => job.log(text),
      }),
      makeUploads(signal, () => job.advance(1)),
    ])
    job.phase('Creating the database', null, 'steps')
    const connection = await createDatabase(places, cluster, job.signal)
    await writeSiteFiles(places, connection.password ?? '')
    const password = generatePassword()
    await writeFileAtomic(places.encryptionPasswordFile, password)
    const encrypted = await liveThrough(context, job, { places, connection, uploads, password })
    await onShown(cluster)
    job.phase('Encrypting the newest backups', encrypted.length, 'steps')
    for (const night of encrypted) {
      await storeNight(context, job, places, night, password)
      job.log(`${nightText(night.night)}, encrypted`)
      job.advance(1)
    }
    await markMade(places)
    return cluster
  } catch (error) {
    await clearAway(places)
    throw error
  }
}

/** Removes database and folders of the demo. */
export async function clearAway(places: DemoPlaces): Promise<void> {
  // first the marker: a half-removed demo must not look like a whole one
  await rm(places.marker, { force: true })
  await removeCluster(places.cluster)
  await rm(places.root, { recursive: true, force: true, maxRetries: 3 })
}

/** Both at the same time; when one fails, the other is ended and waited for. */
async function bothOrNone<A, B>(signal: AbortSignal, start: (signal: AbortSignal) => [Promise<A>, Promise<B>]): Promise<[A, B]> {
  const end = new AbortController()
  const both = start(AbortSignal.any([signal, end.signal]))
  try {
    return await Promise.all(both)
  } catch (error) {
    end.abort(error)
    await Promise.allSettled(both)
    throw error
  }
}

/** A role that is no superuser, its database, the empty schema. */
async function createDatabase(places: DemoPlaces, cluster: Cluster, signal: AbortSignal): Promise<PostgresConnection> {
  const password = randomBytes(24).toString('base64url')
  await writeFileAtomic(places.databasePasswordFile, password)
  const admin = await connectPostgres(cluster.connection(), signal)
  try {
    const user = quoteIdentifier(DATABASE.user)
    await admin.query(`CREATE ROLE ${user} LOGIN PASSWORD ${quoteLiteral(password)}`)
    await admin.query(`CREATE DATABASE ${quoteIdentifier(DATABASE.database)} OWNER ${user}`)
  } finally {
    await admin.end()
  }
  const { host, port } = cluster
  const connection: PostgresConnection = {
    host,
    port,
    database: DATABASE.database,
    user: DATABASE.user,
    password,
    tls: 'disable',
  }
  await withClient(connection, signal, (client) => createSiteSchema(client, DATABASE.schema))
  return connection
}

/** From one kept night to the next, each with its backup, and on to now. Returns the nights that are still to be encrypted. */
async function liveThrough(
  context: EngineContext,
  job: JobContext,
  options: { places: DemoPlaces; connection: PostgresConnection; uploads: ReadonlyMap<string, MediaFile>; password: string },
): Promise<SiteOfNight[]> {
  const { places, connection, uploads, password } = options
  const now = new Date()
  const nights = keptNights(now)
  const story = tellStory(now, uploads, { since: encryptionStart(nights), password })
  const site = demoSite(places, connection.port)
  const toEncrypt: SiteOfNight[] = []
  job.phase('Living through ten weeks', nights.length + 1, 'steps')
  for (const night of nights) {
    job.signal.throwIfAborted()
    await liveOn(story, night.at, night, options, job.signal)
    const captured = await captureNight(context, job, site, connection, night)
    if (night.isEncrypted) {
      toEncrypt.push(captured)
    } else {
      await storeNight(context, job, places, captured, password)
      job.log(nightText(night))
    }
    job.advance(1)
  }
  await liveOn(story, now, null, options, job.signal)
  job.advance(1)
  return toEncrypt
}

function nightText(night: Night): string {
  return `${night.name} of ${night.at.toISOString().slice(0, 10)}`
}

async function liveOn(
  story: Story,
  until: Date,
  night: Night | null,
  { places, connection }: { places: DemoPlaces; connection: PostgresConnection },
  signal: AbortSignal,
): Promise<void> {
  await liveUntil(story, until, night)
  const changes = story.history.takeChanges()
  await writeToDisk(places.archiveDir, changes)
  await withClient(connection, signal, (client) => writeToDatabase(client, DATABASE.schema, story.history, changes))
}

async function withClient<R>(
  connection: PostgresConnection,
  signal: AbortSignal,
  action: (client: Awaited<ReturnType<typeof connectPostgres>>) => Promise<R>,
): Promise<R> {
  const client = await connectPostgres(connection, signal)
  try {
    return await action(client)
  } finally {
    await client.end()
  }
}
