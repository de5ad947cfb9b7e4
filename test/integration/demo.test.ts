import { fork } from 'node:child_process'
import { createHash } from 'node:crypto'
import { once } from 'node:events'
import { existsSync } from 'node:fs'
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type pg from 'pg'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { startBackup } from '#engine/features/backup/index.ts'
import { attachDemo, demoState, reapEmbedded, removeDemo, resetDemo, startDemo, stopDemo } from '#engine/features/demo/index.ts'
import { startVerify } from '#engine/features/proof/index.ts'
import { connectPostgres } from '#engine/foundation/connections/postgres.ts'
import { removeCluster } from '#engine/foundation/embedded-postgres/cluster.ts'
import { readClusterRecord } from '#engine/foundation/embedded-postgres/cluster-record.ts'
import { decodeDatabaseTerm, decodeTerm } from '#engine/foundation/erlang/decode.ts'
import { Tuple } from '#engine/foundation/erlang/terms.ts'
import { isAlive } from '#engine/foundation/process-identity.ts'
import { openRepository } from '#engine/foundation/repository/open.ts'
import { schemeOf, slotFor, slotOf } from '#shared/rotation.ts'
import { openTestContext, type TestContext } from '#test/support/engine-context.ts'
import { allowed } from '#test/support/patience.ts'

let home: string
let opened: TestContext
let client: pg.Client

beforeAll(async () => {
  home = await mkdtemp(join(tmpdir(), 'backup-desk-demo-'))
  opened = await openTestContext(join(home, 'home'))
  attachDemo(opened.context)
  const begun = performance.now()
  await startDemo(opened.context).done
  console.log(`first start: ${Math.round(performance.now() - begun)} ms`)
  client = await connectToDemo()
})

afterAll(async () => {
  await client?.end().catch(() => {})
  await removeCluster(join(home, 'home/demo/cluster'))
  await opened.close()
  await rm(home, { recursive: true, force: true })
})

async function connectToDemo(): Promise<pg.Client> {
  const { sites } = opened.context
  return connectPostgres(await sites.connection(await sites.get('demo')))
}

async function rows<R = Record<string, unknown>>(sql: string): Promise<R[]> {
  return (await client.query(sql)).rows as R[]
}

async function count(table: string, where = 'true'): Promise<number> {
  const [row] = await rows<{ count: number }>(`SELECT count(*)::int AS count FROM ${table} WHERE ${where}`)
  return row!.count
}

test('a site as in life: how much of everything', async () => {
  const tables = (
    await rows<{ name: string }>(`SELECT tablename AS name FROM pg_tables WHERE schemaname = 'demo' ORDER BY 1`)
  ).map(({ name }) => name)
  const counts: Record<string, number> = {}
  for (const name of tables) counts[name] = await count(name)
  console.log(counts)
  expect(counts.rsc).toBeGreaterThan(150)
  expect(counts.edge).toBeGreaterThan(200)
  expect(counts.medium).toBeGreaterThan(45)
  expect(counts.backup_revision).toBeGreaterThan(250)
  expect(counts.backup_edge_log).toBeGreaterThan(counts.edge!)
  expect(counts.rsc_gone).toBeGreaterThanOrEqual(7)
  expect(await count('identity', `type = 'username_pw'`)).toBe(2)
  expect(await count('backup_revision', `type = 'D'`)).toBe(counts.rsc_gone)
  expect(await count('rsc_gone', 'is_personal_data')).toBe(1)
  expect(await count('rsc', `'nl' = ANY (language)`)).toBeGreaterThan(100)
  expect(await count('rsc', `created > now() OR modified > now() OR modified < created`)).toBe(0)
  expect(await count('backup_revision', `created < now() - interval '60 days'`)).toBeGreaterThan(20)
  expect(await count('hierarchy', `name = '$category'`)).toBe(21)
  expect(await count('protect')).toBeGreaterThan(20)
  expect(await count('medium_deleted')).toBeGreaterThan(4)
  expect(await count('backup_medium_log', 'medium_deleted IS NOT NULL')).toBe(counts.medium_deleted)
})

test('every stored term can be read, every title is there', async () => {
  for (const { id, props } of await rows<{ id: number; props: Buffer }>('SELECT id, props FROM rsc')) {
    const term = decodeDatabaseTerm(props)
    if (term instanceof Map) expect(term.get('title'), `title of ${id}`).toBeDefined()
    else expect(Array.isArray(term)).toBe(true)
  }
  for (const table of ['medium', 'config', 'log', 'backup_medium_log']) {
    for (const { props } of await rows<{ props: Buffer }>(`SELECT props FROM ${table}`)) decodeDatabaseTerm(props)
  }
  const revisions = await rows<{ rsc_id: number; version: number; type: string; data: Buffer }>('SELECT * FROM backup_revision')
  for (const { rsc_id, version, type, data } of revisions) {
    const term = decodeTerm(data) as Map<string, unknown>
    expect(term.get('version')).toBe(version)
    if (version > 1 || type === 'D') expect(term.get('id')).toBe(rsc_id)
    expect(term.get('modified')).toBeInstanceOf(Tuple)
  }
})

test('the newest revision of a resource is its present state', async () => {
  const found = await rows<{ id: number; props: Buffer; data: Buffer; version: number; v: number }>(
    `SELECT DISTINCT ON (r.id) r.id, r.props, r.version, b.data, b.version AS v FROM rsc r JOIN backup_revision b ON b.rsc_id = r.id
     WHERE b.type = 'P' AND NOT r.is_protected ORDER BY r.id, b.version DESC`,
  )
  expect(found.length).toBeGreaterThan(120)
  for (const { id, props, data, version, v } of found) {
    expect(v, `version of ${id}`).toBe(version)
    const now = decodeDatabaseTerm(props) as Map<string, unknown>
    const then = decodeTerm(data) as Map<string, unknown>
    for (const [key, value] of now) if (key !== 'email') expect(then.get(key), `${key} of ${id}`).toEqual(value)
  }
})

test('edges and logs fit together', async () => {
  expect(
    await count(
      `edge e`,
      `NOT EXISTS (SELECT FROM rsc WHERE id = e.subject_id) OR NOT EXISTS (SELECT FROM rsc WHERE id = e.object_id)`,
    ),
  ).toBe(0)
  // the log, played from the start, gives the present edges
  const [played] = await rows<{ count: number }>(
    `SELECT count(*)::int FROM (SELECT subject_id, predicate, object_id, bool_and(is_insert) FILTER (WHERE newest) AS there FROM (
       SELECT *, id = max(id) OVER (PARTITION BY subject_id, predicate, object_id) AS newest FROM backup_edge_log) l
     GROUP BY 1, 2, 3) x WHERE there`,
  )
  expect(played!.count).toBe(await count('edge'))
  expect(await count('edge_log')).toBe(await count('backup_edge_log'))
})

test('media files are on the disk as the database says', async () => {
  const archive = join(home, 'home/demo/files/archive')
  const media = await rows<{ filename: string; size: string; digest: string }>('SELECT filename, size, digest FROM medium')
  let bytes = 0
  for (const { filename, size, digest } of media) {
    const content = await readFile(join(archive, filename))
    expect(content.length).toBe(Number(size))
    expect(createHash('sha256').update(content).digest('hex')).toBe(digest)
    bytes += content.length
  }
  console.log(`${media.length} files, ${bytes} bytes`)
  expect(bytes).toBeGreaterThan(5_000_000)
})

test('triggers work on it as on a real site', async () => {
  await client.query('BEGIN')
  const [log] = await rows<{ id: string }>('SELECT max(id) AS id FROM edge_log')
  const [medium] = await rows<{ id: number; filename: string }>('SELECT id, filename FROM medium ORDER BY id LIMIT 1')
  await client.query('UPDATE rsc SET version = version + 1 WHERE id = $1', [medium!.id])
  expect(await count('rsc_pivot_log', `rsc_id = ${medium!.id} AND is_update`)).toBe(1)
  await client.query('DELETE FROM edge WHERE id = (SELECT min(id) FROM edge)')
  expect(await count('edge_log', `id > ${log!.id} AND op = 'DELETE' AND created IS NOT NULL AND predicate IS NOT NULL`)).toBe(1)
  await client.query('DELETE FROM medium WHERE id = $1', [medium!.id])
  expect(await count('medium_deleted', `filename = '${medium!.filename}'`)).toBe(1)
  expect(await count('backup_medium_log', `rsc_id = ${medium!.id} AND medium_deleted IS NULL`)).toBe(0)
  await expect(client.query('INSERT INTO edge (subject_id, predicate_id, object_id) VALUES (1, 300, 999999)')).rejects.toThrow(
    /fk_edge_object_id/,
  )
  await client.query('ROLLBACK')
})

test('three weeks of backups as the server makes them', async () => {
  const { sites } = opened.context
  const site = await sites.get('demo')
  const repository = await openRepository(opened.context, site, 'server')
  const index = [...(await repository.readIndex())].sort(([, a], [, b]) => b.timestamp - a.timestamp)
  console.log(
    index.map(
      ([name, entry]) => `${name} ${new Date(entry.timestamp * 1000).toISOString()} ${entry.is_encrypted ? 'enc' : 'plain'}`,
    ),
  )
  expect(index).toHaveLength(9)
  const entries = index.map(([name, entry]) => ({ slot: slotOf('demo', name), timestamp: new Date(entry.timestamp * 1000) }))
  expect(schemeOf(entries)).toBe('server')
  for (const { slot, timestamp } of entries) {
    expect(slotFor('server', timestamp)).toBe(slot)
    expect(timestamp.getUTCHours()).toBe(3)
    expect(timestamp.getTime()).toBeLessThan(Date.now())
  }
  expect(entries.filter(({ slot }) => slot?.startsWith('w'))).toHaveLength(3)
  expect(index.map(([, entry]) => entry.is_encrypted)).toEqual([true, true, true, false, false, false, false, false, false])
  const sizes: number[] = []
  for (const [name, entry] of index) {
    for (const file of [entry.database, entry.config_files, entry.files]) {
      if (!file) continue
      expect(file.endsWith('.enc'), name).toBe(entry.is_encrypted)
      expect(existsSync(join(home, 'home/demo/files/backup', file))).toBe(true)
    }
    const bytes = await readFile(join(home, 'home/demo/files/backup', entry.database!))
    expect(createHash('sha256').update(bytes).digest('hex')).toBe(entry.database_hash)
    sizes.push(bytes.length)
  }
  // younger is larger
  expect(sizes[0]).toBeGreaterThan(sizes[8]!)
})

test('its backups are readable to the end, and so is one that is made now', async () => {
  const { context } = opened
  const made = await startBackup(context, { site: 'demo', to: 'vault', databaseOnly: false }).done
  expect(made.parts.every(({ file }) => file.endsWith('.enc'))).toBe(true)
  const repository = await openRepository(context, await context.sites.get('demo'), 'server')
  const names = [...(await repository.readIndex()).keys()].filter((name) => /-(1|2|w\d)$/.test(name))
  for (const name of names) {
    const { done } = await startVerify(context, { site: 'demo', name, from: 'server', level: 2, passwords: [] })
    const { proofs, verdict } = await done
    expect(verdict, JSON.stringify(proofs)).toBe('verified')
  }
})

test('stops and starts again with another port, within 5 s; the password is nowhere', async () => {
  const { context } = opened
  expect((await demoState(context)).state).toBe('running')
  await client.end()
  await stopDemo(context).done
  expect((await demoState(context)).state).toBe('stopped')
  await expect(connectToDemo()).rejects.toMatchObject({ code: 'database-unreachable' })
  const begun = performance.now()
  await startDemo(context).done
  const took = performance.now() - begun
  console.log(`later start: ${Math.round(took)} ms`)
  expect(took).toBeLessThan(allowed(5000))
  client = await connectToDemo()
  expect(await count('rsc')).toBeGreaterThan(150)
  await reapEmbedded(context)
  const state = await demoState(context)
  expect(state).toMatchObject({ state: 'running', site: 'demo', available: true })
  expect(state.bytes).toBeGreaterThan(20_000_000)

  const secrets = await Promise.all(
    ['database-password', 'encryption-password', 'cluster/password'].map((file) =>
      readFile(join(home, 'home/demo', file), 'utf8'),
    ),
  )
  await context.log.flush()
  for (const folder of ['jobs', 'logs', 'sites', 'demo/cluster']) {
    for (const name of await readdir(join(home, 'home', folder))) {
      const path = join(home, 'home', folder, name)
      if (name === 'password' || !(await stat(path)).isFile()) continue
      const text = await readFile(path, 'utf8')
      for (const secret of secrets) expect(text.includes(secret), path).toBe(false)
    }
  }
})

test('a half-made demo is made anew, and a foreign site of that name is left alone', async () => {
  const { context } = opened
  const before = (await readClusterRecord(join(home, 'home/demo/cluster')))!
  await client.end()
  await writeFile(join(home, 'home/demo/demo.json'), '{')
  expect((await demoState(context)).state).toBe('absent')
  const cancelled = startDemo(context)
  setTimeout(() => void opened.jobs.cancel(cancelled.id), 1500)
  await expect(cancelled.done).rejects.toMatchObject({ code: 'cancelled' })
  expect(existsSync(join(home, 'home/demo'))).toBe(false)
  expect(existsSync(before.runFolder)).toBe(false)
  await expect(context.sites.get('demo')).rejects.toMatchObject({ code: 'unknown-site' })
  await context.sites.add({ name: 'demo', database: { database: 'x', schema: 'x', user: 'x' } })
  await expect(startDemo(context).done).rejects.toMatchObject({ code: 'demo-name-taken' })
  await context.sites.remove('demo')
})

test('killed on the way: adopted when an engine starts, made anew at the next start', { timeout: 400_000 }, async () => {
  const { context } = opened
  const folder = join(home, 'home/demo')
  const child = fork(join(import.meta.dirname, '../support/demo-starter.ts'), [join(home, 'home')], { stdio: 'inherit' })
  const gone = once(child, 'exit')
  // at least one backup is there, others are still to come
  while (!existsSync(join(folder, 'files/backup/backup.json'))) await sleep(20)
  child.kill('SIGKILL')
  await gone
  const left = (await readClusterRecord(join(folder, 'cluster')))!
  expect(isAlive(left.postmaster!)).toBe(true)
  expect((await demoState(context)).state).toBe('absent')
  await reapEmbedded(context)
  expect((await readClusterRecord(join(folder, 'cluster')))!.owner.pid).toBe(process.pid)
  await startDemo(context).done
  expect(isAlive(left.postmaster!)).toBe(false)
  expect(existsSync(left.runFolder)).toBe(process.getuid?.() !== 0)
  expect(await readdir(join(folder, 'files/backup'))).not.toContainEqual(expect.stringMatching(/\.part$/))
  client = await connectToDemo()
  expect(await count('rsc')).toBeGreaterThan(150)
  await client.end()
})

test('reset and remove', { timeout: 400_000 }, async () => {
  const { context } = opened
  expect(await resetDemo({ ...context, confirm: async () => false })).toBeNull()
  client = await connectToDemo()
  await client.query('DELETE FROM edge')
  await client.end()
  await (await resetDemo(context))!.done
  client = await connectToDemo()
  expect(await count('edge')).toBeGreaterThan(200)
  await client.end()
  const { runFolder } = (await readClusterRecord(join(home, 'home/demo/cluster')))!
  await (await removeDemo(context))!.done
  expect(await demoState(context)).toMatchObject({ state: 'absent', bytes: null })
  expect(existsSync(join(home, 'home/demo'))).toBe(false)
  expect(existsSync(runFolder)).toBe(false)
  await expect(context.sites.get('demo')).rejects.toMatchObject({ code: 'unknown-site' })
})
