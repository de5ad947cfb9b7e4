import { randomBytes } from 'node:crypto'
import { chown, lchown, mkdir, mkdtemp, readFile, realpath, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import { AppError } from '#shared/errors.ts'
import type { PostgresConnection } from '../connections/postgres.ts'
import { writeFileAtomic } from '../files/atomic.ts'
import { identityOf, isAlive, ownIdentity } from '../process-identity.ts'
import { usableBinaries } from './binaries.ts'
import {
  type ClusterRecord,
  readClusterRecord,
  readPostmasterFile,
  runningPostmaster,
  writeClusterRecord,
} from './cluster-record.ts'
import { freePort, runInitdb, spawnServer, stopServer } from './server-process.ts'
import { type Identity, unprivilegedIdentity } from './unprivileged.ts'

const SUPERUSER = 'desk'
const HOST = '127.0.0.1'
const RUN_FOLDER_PREFIX = 'backup-desk-postgres-'

/** A running embedded PostgreSQL. */
export interface Cluster {
  readonly folder: string
  readonly host: string
  readonly port: number
  /** As the superuser. */
  connection(database?: string): PostgresConnection
}

export interface StartOptions {
  /** The cluster's own folder (0700); made when it is not there. */
  folder: string
  purpose: 'demo' | 'scratch'
  /** 'window' or 'zbd'. */
  program: string
  signal?: AbortSignal
  /** Told what happens: "making the database folder", ... */
  onStep?: (text: string) => void
}

/**
 * Starts the cluster of a folder, making it first when there is none. One that runs already is adopted. It listens on
 * a random port of 127.0.0.1 and nowhere else, and runs on when this program ends: end it with {@link stopCluster}
 * or {@link removeCluster}; {@link reapClusters} finds those that nobody ended.
 *
 * The superuser's password is in `password` (0600) in the folder (0700), and in no argument, environment or log.
 *
 * For root the server runs as an unprivileged user, who can't reach into the home folder (0700). Opening that folder
 * to others would open the way to everything in it; so the data lie in a folder of that user with a random name below
 * the system's temporary folder instead, noted in `cluster.json`. When the system has cleaned it away, the cluster
 * is made anew.
 * @throws AppError `embedded-missing`, `embedded-init`, `embedded-start`, `no-unprivileged-user`
 */
export async function startCluster(options: StartOptions): Promise<Cluster> {
  const { folder } = options
  const adopted = await adoptCluster(folder)
  if (adopted) return adopted
  const identity = await unprivilegedIdentity()
  let record = await readClusterRecord(folder)
  // one that runs but takes no connections yet: two servers must never work on the same data
  if (record && (await runningPostmaster(record))) await stopCluster(folder)
  if (!record?.isMade || !(await isFolder(join(record.runFolder, 'data')))) {
    await removeCluster(folder)
    record = await makeCluster(options, identity)
  }
  return serve({ ...record, startedBy: options.program, owner: ownIdentity() }, identity, options)
}

async function makeCluster(options: StartOptions, identity: Identity | null): Promise<ClusterRecord> {
  const { folder, purpose, program, signal } = options
  options.onStep?.('Making the database folder')
  await mkdir(folder, { recursive: true, mode: 0o700 })
  const runFolder = await makeRunFolder(folder, identity)
  const record: ClusterRecord = {
    version: 1,
    purpose,
    startedBy: program,
    owner: ownIdentity(),
    runFolder,
    isMade: false,
    postmaster: null,
    port: null,
  }
  await writeClusterRecord(folder, record)
  const password = randomBytes(24).toString('base64url')
  await writeFileAtomic(join(folder, 'password'), password)
  // initdb reads it as the user that it runs as
  const passwordFile = join(runFolder, 'initdb-password')
  try {
    await writeFile(passwordFile, password, { mode: 0o600, flag: 'wx' })
    if (identity) await lchown(passwordFile, identity.uid, identity.gid)
    const binaries = await usableBinaries(runFolder, identity)
    await runInitdb(binaries, { data: join(runFolder, 'data'), superuser: SUPERUSER, passwordFile, identity, signal })
  } finally {
    await rm(passwordFile, { force: true })
  }
  const made = { ...record, isMade: true }
  await writeClusterRecord(folder, made)
  return made
}

/** A damaged record must not lead to the removal of any other folder. */
async function isRunFolder(path: string, folder: string): Promise<boolean> {
  return basename(path).startsWith(RUN_FOLDER_PREFIX) || path === (await realpath(folder).catch(() => folder))
}

/** Paths are resolved: the server is recognised by the folder that it works in. */
async function makeRunFolder(folder: string, identity: Identity | null): Promise<string> {
  if (!identity) return realpath(folder)
  const runFolder = await mkdtemp(join(await realpath(tmpdir()), RUN_FOLDER_PREFIX))
  await chown(runFolder, identity.uid, identity.gid)
  return runFolder
}

async function serve(record: ClusterRecord, identity: Identity | null, options: StartOptions): Promise<Cluster> {
  options.onStep?.('Starting PostgreSQL')
  const binaries = await usableBinaries(record.runFolder, identity)
  const data = join(record.runFolder, 'data')
  // left by a server that was killed; its pid may be another process by now, which PostgreSQL would take for a server
  await rm(join(data, 'postmaster.pid'), { force: true })
  for (let attempt = 1; ; attempt++) {
    options.signal?.throwIfAborted()
    const port = await freePort()
    const server = await spawnServer(binaries, {
      data,
      log: join(options.folder, 'postgres.log'),
      port,
      isScratch: record.purpose === 'scratch',
      identity,
      signal: options.signal,
    })
    const running = { ...record, port, postmaster: identityOf(server.pid) }
    try {
      await writeClusterRecord(options.folder, running)
      await server.ready(async () => {
        const written = await readPostmasterFile(running)
        return written?.pid === server.pid && written.isReady
      })
      return clusterOf(options.folder, port, await readPassword(options.folder))
    } catch (error) {
      await stopServer(running.postmaster, true)
      const isTaken = error instanceof AppError && error.code === 'embedded-port'
      if (!isTaken || attempt >= 5) throw error
    }
  }
}

/** The cluster of a folder when it runs, else null. It becomes this program's when its owner is dead. */
export async function adoptCluster(folder: string): Promise<Cluster | null> {
  const record = await readClusterRecord(folder)
  if (record?.port == null) return null
  const postmaster = await runningPostmaster(record)
  if (!postmaster || !(await readPostmasterFile(record))?.isReady) return null
  if (!isOwnerAlive(record)) await writeClusterRecord(folder, { ...record, postmaster, owner: ownIdentity() })
  return clusterOf(folder, record.port, await readPassword(folder))
}

export function isOwnerAlive(record: ClusterRecord): boolean {
  return isAlive(record.owner)
}

/** True when this very program owns the cluster and a program of this kind started it. */
export async function isStartedHere(folder: string, program: string): Promise<boolean> {
  const record = await readClusterRecord(folder)
  const own = ownIdentity()
  return record !== null && record.startedBy === program && record.owner.pid === own.pid && record.owner.start === own.start
}

/** Stops the cluster of a folder; nothing when it does not run. Its data stay. */
export async function stopCluster(folder: string): Promise<void> {
  const record = await readClusterRecord(folder)
  if (!record) return
  const postmaster = await runningPostmaster(record)
  if (postmaster) await stopServer(postmaster, false)
  await writeClusterRecord(folder, { ...record, postmaster: null, port: null })
}

/** Stops a scratch cluster and keeps its data: when this program is gone, {@link reapClusters} leaves it alone. */
export async function keepCluster(folder: string): Promise<void> {
  await stopCluster(folder)
  const record = await readClusterRecord(folder)
  if (record) await writeClusterRecord(folder, { ...record, purpose: 'kept' })
}

/** Ends the cluster of a folder at once and removes it with its data. */
export async function removeCluster(folder: string): Promise<void> {
  const record = await readClusterRecord(folder)
  if (record) {
    const postmaster = await runningPostmaster(record)
    if (postmaster) await stopServer(postmaster, true)
    if (await isRunFolder(record.runFolder, folder)) await rm(record.runFolder, { recursive: true, force: true, maxRetries: 3 })
  }
  await rm(folder, { recursive: true, force: true, maxRetries: 3 })
}

/** `absent`: none was made here, or its data are gone. */
export async function clusterState(folder: string): Promise<'absent' | 'stopped' | 'running'> {
  const record = await readClusterRecord(folder)
  if (!record?.isMade || !(await isFolder(join(record.runFolder, 'data')))) return 'absent'
  return (await runningPostmaster(record)) ? 'running' : 'stopped'
}

function clusterOf(folder: string, port: number, password: string): Cluster {
  return {
    folder,
    host: HOST,
    port,
    connection: (database = 'postgres') => ({ host: HOST, port, database, user: SUPERUSER, password, tls: 'disable' }),
  }
}

async function readPassword(folder: string): Promise<string> {
  return readFile(join(folder, 'password'), 'utf8')
}

async function isFolder(path: string): Promise<boolean> {
  return stat(path).then(
    (facts) => facts.isDirectory(),
    () => false,
  )
}

/** Where the cluster's data are: in its folder, for root elsewhere; null: there is none. */
export async function clusterDataFolder(folder: string): Promise<string | null> {
  const record = await readClusterRecord(folder)
  return record && join(record.runFolder, 'data')
}
