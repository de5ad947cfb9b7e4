import { randomBytes } from 'node:crypto'
import { statfs } from 'node:fs/promises'
import { join } from 'node:path'
import type pg from 'pg'
import {
  connectPostgres,
  type PostgresConnection,
  quoteIdentifier,
  quoteLiteral,
} from '#engine/foundation/connections/postgres.ts'
import {
  type Cluster,
  clusterDataFolder,
  keepCluster,
  removeCluster,
  startCluster,
} from '#engine/foundation/embedded-postgres/cluster.ts'
import { AppError } from '#shared/errors.ts'
import { formatBytes } from '#shared/format.ts'

/** A dump unpacks to about 2.5 times its size, and its tables and indexes take about 2.5 times that. */
const DISK_PER_STORED_BYTE = 2.5 * 2.5
/** An empty cluster, and what others write meanwhile. */
const RESERVE_BYTES = 128 * 1024 * 1024

/** An empty database on a PostgreSQL of its own, which nobody else knows of. */
export interface ScratchDatabase {
  /** Below the home's scratch folder. */
  readonly folder: string
  /** "PostgreSQL 18.4" */
  readonly server: string
  readonly majorVersion: number
  /** As the role that loads: its database's owner, without any right beyond it. */
  readonly connection: PostgresConnection
  /** Runs statements as the superuser in the scratch database. */
  asSuperuser<T>(action: (client: pg.Client) => Promise<T>): Promise<T>
  /** The role that loads. */
  readonly role: string
  /** The superuser whose password is in the cluster's folder: for looking at what is kept. */
  readonly lookAs: string
  keep(): Promise<void>
  remove(): Promise<void>
}

export interface ScratchOptions {
  /** The home's scratch folder. */
  scratch: string
  program: string
  /** The stored size of the dump: room is checked for what it becomes. */
  dumpBytes: number
  signal: AbortSignal
  onStep?: (text: string) => void
}

/**
 * Starts a PostgreSQL for one drill, with a database and a role of random names. Nothing of it can be mistaken for a
 * site's, and no connection of a site comes near it. When it rejects, nothing is left.
 * @throws AppError `disk-full`, `cancelled`, and those of `startCluster`
 */
export async function makeScratchDatabase(options: ScratchOptions): Promise<ScratchDatabase> {
  const { scratch, program, signal } = options
  const folder = join(scratch, `drill-${randomBytes(8).toString('hex')}`)
  try {
    const cluster = await startCluster({
      folder,
      purpose: 'scratch',
      program,
      signal,
      ...(options.onStep ? { onStep: options.onStep } : {}),
    })
    await requireRoom(folder, options.dumpBytes)
    return await makeDatabase(cluster, signal)
  } catch (error) {
    await removeCluster(folder)
    throw error
  }
}

/** Bytes that a scratch database will probably take on disk. @param dumpBytes the stored size of the dump */
export function drillBytes(dumpBytes: number): number {
  return Math.ceil(dumpBytes * DISK_PER_STORED_BYTE) + RESERVE_BYTES
}

async function requireRoom(folder: string, dumpBytes: number): Promise<void> {
  const disk = await statfs((await clusterDataFolder(folder)) ?? folder)
  const free = disk.bavail * disk.bsize
  const needed = drillBytes(dumpBytes)
  if (needed <= free) return
  throw new AppError(
    'disk-full',
    `The drill needs about ${formatBytes(needed)} for its scratch database, but the disk has ${formatBytes(free)} free. It was not started.`,
    { hint: 'Free some space, then run it again. The backup is unchanged.', details: { needed, free } },
  )
}

async function makeDatabase(cluster: Cluster, signal: AbortSignal): Promise<ScratchDatabase> {
  const unique = randomBytes(8).toString('hex')
  const database = `drill_${unique}`
  const role = `loader_${unique}`
  const password = randomBytes(24).toString('base64url')
  const superuser = { ...cluster.connection(), user: `desk_${unique}`, password }
  const inDatabase = async <T>(name: string, action: (client: pg.Client) => Promise<T>): Promise<T> => {
    const client = await connectPostgres({ ...superuser, database: name }, signal)
    try {
      return await action(client)
    } finally {
      await client.end().catch(() => {})
    }
  }
  await makeSuperuser(cluster, superuser, signal)
  const server = await inDatabase('postgres', async (client) => {
    // bypassing row security is no right over others' objects: without it, counts would leave hidden rows out
    await client.query(
      `CREATE ROLE ${quoteIdentifier(role)} LOGIN NOSUPERUSER NOCREATEDB NOCREATEROLE NOREPLICATION BYPASSRLS PASSWORD ${quoteLiteral(password)}`,
    )
    await client.query(
      `CREATE DATABASE ${quoteIdentifier(database)} OWNER ${quoteIdentifier(role)} TEMPLATE template0 ENCODING 'UTF8'`,
    )
    return (await client.query<{ server_version: string }>('SHOW server_version')).rows[0]?.server_version ?? ''
  })
  return {
    folder: cluster.folder,
    server: `PostgreSQL ${server.split(' ')[0]}`,
    majorVersion: Number.parseInt(server, 10),
    connection: { ...superuser, database, user: role },
    role,
    lookAs: usualSuperuser(superuser),
    asSuperuser: (action) => inDatabase(database, action),
    keep: () => keepCluster(cluster.folder),
    remove: () => removeCluster(cluster.folder),
  }
}

/** A superuser of a random name in place of the usual one: a dump may name a role as that is called. */
async function makeSuperuser(cluster: Cluster, superuser: PostgresConnection, signal: AbortSignal): Promise<void> {
  const usual = cluster.connection()
  const change = async (connection: PostgresConnection, statement: string) => {
    const client = await connectPostgres(connection, signal)
    try {
      await client.query(statement)
    } finally {
      await client.end().catch(() => {})
    }
  }
  const name = quoteIdentifier(superuser.user)
  await change(usual, `CREATE ROLE ${name} SUPERUSER LOGIN PASSWORD ${quoteLiteral(superuser.password ?? '')}`)
  await change(superuser, `ALTER ROLE ${quoteIdentifier(usual.user)} RENAME TO ${quoteIdentifier(usualSuperuser(superuser))}`)
}

function usualSuperuser({ user }: PostgresConnection): string {
  return `${user}_made`
}
