import { randomBytes } from 'node:crypto'
import { open, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import pg from 'pg'
import type { Desk } from './desk.ts'

/** The folders of the demo site below a desk's home. */
export function demoFolders(desk: Desk) {
  const files = join(desk.home, 'demo', 'files')
  return { archive: join(files, 'archive'), server: join(files, 'backup'), vault: join(desk.home, 'backups', 'demo') }
}

/** Runs a statement on the demo's own database, as its site would. */
export async function demoQuery<R extends pg.QueryResultRow>(desk: Desk, sql: string): Promise<R[]> {
  const client = await connect(desk)
  try {
    return (await client.query<R>(sql)).rows
  } finally {
    await client.end()
  }
}

/** Runs a statement in a transaction that stays open during the action and is then rolled back. */
export async function withOpenTransaction(desk: Desk, sql: string, action: () => Promise<void>): Promise<void> {
  const client = await connect(desk)
  try {
    await client.query('BEGIN')
    await client.query(sql)
    await action()
  } finally {
    await client.end()
  }
}

async function connect(desk: Desk): Promise<pg.Client> {
  const settings = JSON.parse(await readFile(join(desk.home, 'sites', 'demo.json'), 'utf8')) as {
    database: { host: string; port: number; database: string; user: string; schema: string }
  }
  const { schema, ...place } = settings.database
  const password = await readFile(join(desk.home, 'demo', 'database-password'), 'utf8')
  const client = new pg.Client({ ...place, password, options: `-c search_path=${schema}` })
  await client.connect()
  return client
}

/** A medium that makes a backup take some seconds, so that it can be seen, cancelled or killed in its middle. */
export async function withLargeMedium(desk: Desk, megabytes: number, action: () => Promise<void>): Promise<void> {
  const file = join(demoFolders(desk).archive, 'long-film.mp4')
  await writeFile(file, randomBytes(megabytes * 1_000_000))
  try {
    await action()
  } finally {
    await rm(file, { force: true })
  }
}

/** Flips one bit in the middle of a file. */
export async function flipBit(path: string): Promise<void> {
  const file = await open(path, 'r+')
  try {
    const at = Math.floor((await file.stat()).size / 2)
    const byte = Buffer.alloc(1)
    await file.read(byte, 0, 1, at)
    byte[0]! ^= 1
    await file.write(byte, 0, 1, at)
  } finally {
    await file.close()
  }
}
