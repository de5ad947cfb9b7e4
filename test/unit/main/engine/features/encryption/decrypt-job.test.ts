import { chmod, copyFile, mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import { removePartsOfInterruptedJob } from '#engine/features/encryption/index.ts'
import { decryptProcedures } from '#engine/procedures/decrypt.ts'
import type { Handlers } from '#engine/router.ts'
import { decrypt } from '#shared/contract/decrypt.ts'
import { isJobActive, type Job } from '#shared/model/job.ts'
import { ASCII_PASSWORD, cryptoFixture, sha256, UTF8_PASSWORD } from '#test/support/enc-fixtures.ts'
import { openTestContext, type TestContext } from '#test/support/engine-context.ts'
import { fixture } from '#test/support/fixtures.ts'
import { temporaryFolder } from '#test/support/home.ts'

const AUTO_PASSWORD = 'g7t2a-y1fcW-sliow-BBad@<'
const MIXED_PASSWORD = 'zażółć-backup-🔐 pw'

let open: TestContext
let procedures: Handlers<typeof decrypt>
let folder: string

beforeEach(async () => {
  folder = await temporaryFolder()
})
afterEach(() => open.close())

/** The engine's foundation with sites, each with its stored encryption password or none. */
async function openEngine(sites: Record<string, string | null> = {}): Promise<void> {
  open = await openTestContext(await temporaryFolder())
  if (Object.keys(sites).length > 0) await open.context.secrets.unlock('open sesame')
  for (const [name, password] of Object.entries(sites)) {
    const database = { database: 'd', schema: 's', user: 'u' }
    await open.context.sites.add({ name, database, encryption: { enabled: true, ...(password ? { password } : {}) } })
  }
  procedures = decryptProcedures(open.context)
}

async function put(from: string, as: string): Promise<string> {
  const path = join(folder, as)
  await copyFile(from, path)
  await chmod(path, 0o644)
  return path
}

const start = async (input: { files: string[] } & Record<string, unknown>): Promise<string> =>
  (await procedures['decrypt.start'](decrypt['decrypt.start'].input.parse(input))).jobId

/** Waits until the job looks like this. */
async function until(jobId: string, fits: (job: Job) => boolean): Promise<Job> {
  for (let tries = 0; tries < 4000; tries += 1) {
    const job = await open.jobs.show(jobId).then(
      (shown) => shown.job,
      () => null,
    )
    if (job && fits(job)) return job
    await sleep(25)
  }
  throw new Error(`The job never got there: ${JSON.stringify((await open.jobs.show(jobId)).job)}`)
}
const ended = (jobId: string) => until(jobId, (job) => !isJobActive(job))
const itemOf = (job: Job, name: string) => job.items.find((item) => item.name === name)!

const auto = (file: string) => fixture('backups', '2-encrypted-full-autopw', file)
const mixed = (file: string) => fixture('backups', '3-slots-mixed', file)

describe('which passwords are tried', () => {
  test('the stored one of the site in the name, for every part of a backup', async () => {
    await openEngine({ other: 'wrong', testsite: AUTO_PASSWORD })
    const names = ['testsite-1.sql.gz.enc', 'testsite-1.tar.gz.enc', 'config-testsite-1.tar.gz.enc']
    const files = await Promise.all(names.map((name) => put(auto(name), name)))
    const job = await ended(await start({ files }))
    expect(job).toMatchObject({ state: 'done', site: 'testsite', title: 'Decrypting 3 files', error: null })
    for (const item of job.items) {
      expect(item).toMatchObject({ state: 'done', facts: { passwordSource: 'stored password of testsite', site: 'testsite' } })
      expect(item.detail).toMatch(/^Done in \d+\.\d s\. Reads well to its end\.$/)
      expect(item.done).toBe(item.total)
    }
    expect(sha256(await readFile(join(folder, 'testsite-1.sql.gz')))).toBe(
      '7a13c1a50149e9bdb3a0e68525dcc6e9120a9f4f0fd04b249f814aeacef3d6e6',
    )
    expect((await readdir(folder)).length).toBe(6)
  })

  test('those of all sites only when the name says nothing, after the given ones', async () => {
    await openEngine({ one: 'wrong', two: ASCII_PASSWORD })
    const file = await put(cryptoFixture('p31-ascii.bin.enc'), 'notes.enc')
    const job = await ended(await start({ files: [file], passwords: ['also wrong'], interactive: false }))
    expect(itemOf(job, 'notes.enc')).toMatchObject({ state: 'done', facts: { passwordSource: 'stored password of two' } })

    const foreign = await put(cryptoFixture('p31-ascii.bin.enc'), 'one-2.bin.enc')
    const failed = await ended(await start({ files: [foreign], passwords: ['also wrong'], interactive: false }))
    expect(failed.error?.code).toBe('wrong-password')
    expect(failed.items[0]).toMatchObject({ state: 'failed', facts: { tried: 'tried: stored password of one, 1 given' } })
  })

  test('one that opened a file opens the others: it is asked for once', async () => {
    await openEngine()
    const files = await Promise.all(['a.enc', 'b.enc', 'c.enc'].map((name) => put(cryptoFixture('p31-ascii.bin.enc'), name)))
    const jobId = await start({ files })
    const waiting = await until(jobId, (job) => job.state === 'waiting')
    expect(waiting.question).toBe('3 files need a password.')
    expect(await procedures['decrypt.tryPassword']({ jobId, item: waiting.items[1]!.id, password: ASCII_PASSWORD })).toEqual({
      accepted: true,
    })
    const job = await ended(jobId)
    expect(job.items.map((item) => [item.state, item.facts.passwordSource])).toEqual([
      ['done', 'password used earlier'],
      ['done', 'typed password'],
      ['done', 'password used earlier'],
    ])
  })

  test('a locked store is no obstacle, and is named', async () => {
    await openEngine({ testsite: AUTO_PASSWORD })
    await open.context.secrets.lock()
    const file = await put(auto('testsite-1.sql.gz.enc'), 'testsite-1.sql.gz.enc')
    const failed = await ended(await start({ files: [file], interactive: false }))
    expect(failed.error).toMatchObject({
      code: 'no-password',
      hint: expect.stringContaining('The store of passwords is locked.'),
    })
    const job = await ended(await start({ files: [file], passwords: [AUTO_PASSWORD], interactive: false }))
    expect(job.state).toBe('done')
  })
})

describe('a file that needs a password', () => {
  test('waits while the others go on; a wrong one is told, a fitting one goes on in the same job and is remembered', async () => {
    await openEngine({ testsite: AUTO_PASSWORD })
    const good = await put(auto('testsite-1.sql.gz.enc'), 'testsite-1.sql.gz.enc')
    const old = await put(mixed('testsite-w0.sql.gz.enc'), 'testsite-w0.sql.gz.enc')
    const jobId = await start({ files: [old, good] })
    const waiting = await until(jobId, (job) => job.state === 'waiting')
    expect(itemOf(waiting, 'testsite-1.sql.gz.enc').state).toBe('done')
    const item = itemOf(waiting, 'testsite-w0.sql.gz.enc')
    expect(item).toMatchObject({
      state: 'needs-password',
      detail: 'The password does not fit this file. Nothing was written; the .enc file is as it was.',
      facts: { tried: 'tried: stored password of testsite', code: 'wrong-password' },
    })
    expect(waiting.question).toBe('Which password opens testsite-w0.sql.gz.enc?')

    const attempt = (password: string, rememberFor?: string) =>
      procedures['decrypt.tryPassword']({ jobId, item: item.id, password, ...(rememberFor ? { rememberFor } : {}) })
    expect(await attempt('wrong')).toEqual({ accepted: false })
    expect(itemOf(await until(jobId, () => true), item.name).facts.tried).toBe('tried: stored password of testsite, 1 typed')
    await expect(attempt(MIXED_PASSWORD, 'nosuch')).rejects.toMatchObject({ code: 'unknown-site' })
    expect(await attempt(MIXED_PASSWORD, 'testsite')).toEqual({ accepted: true })
    const job = await ended(jobId)
    expect(job.state).toBe('done')
    expect(itemOf(job, item.name)).toMatchObject({ state: 'done', facts: { passwordSource: 'typed password' } })

    // kept for older files; what the next backup is encrypted with stays
    expect(await open.context.sites.encryptionPassword(await open.context.sites.get('testsite'))).toBe(AUTO_PASSWORD)
    const again = await ended(await start({ files: [old], overwrite: true, interactive: false }))
    expect(again.items[0]).toMatchObject({ state: 'done', facts: { passwordSource: 'stored password of testsite' } })
    await expect(attempt('late')).rejects.toMatchObject({ code: 'unknown-job' })
  })

  test('can be skipped: the job ends without an error', async () => {
    await openEngine()
    const file = await put(cryptoFixture('p31-ascii.bin.enc'), 'a.enc')
    const jobId = await start({ files: [file] })
    const waiting = await until(jobId, (job) => job.state === 'waiting')
    await procedures['decrypt.skip']({ jobId, item: waiting.items[0]!.id })
    const job = await ended(jobId)
    expect(job).toMatchObject({ state: 'done', result: { files: [{ path: file, state: 'skipped' }] } })
    expect(await readdir(folder)).toEqual(['a.enc'])
  })

  test('a job that waits can be cancelled', async () => {
    await openEngine()
    const file = await put(cryptoFixture('p31-ascii.bin.enc'), 'a.enc')
    const jobId = await start({ files: [file] })
    await until(jobId, (job) => job.state === 'waiting')
    await open.jobs.cancel(jobId)
    const job = await ended(jobId)
    expect(job).toMatchObject({ state: 'cancelled', items: [{ state: 'skipped' }] })
  })
})

describe('outcomes', () => {
  test('one file fails with its own error', async () => {
    await openEngine()
    const file = await put(cryptoFixture('bad-prefix.enc'), 'a.enc')
    const job = await ended(await start({ files: [file] }))
    expect(job).toMatchObject({ state: 'failed', error: { code: 'not-a-backup' }, items: [{ state: 'refused' }] })
  })

  test('several: each with its own, the good ones done, the job failed with the list', async () => {
    await openEngine()
    await writeFile(join(folder, 'there'), 'precious')
    const files = await Promise.all([
      put(cryptoFixture('p100000-utf8.bin.enc'), 'good.enc'),
      put(cryptoFixture('bad-prefix.enc'), 'prefix.enc'),
      put(cryptoFixture('bad-header-only.enc'), 'short.enc'),
      put(cryptoFixture('p31-ascii.bin.enc'), 'other.enc'),
      put(cryptoFixture('p1-utf8.bin.enc'), 'there.enc'),
    ])
    files.push(join(folder, 'missing.enc'))
    const job = await ended(await start({ files, passwords: [UTF8_PASSWORD], interactive: false }))
    expect(job.state).toBe('failed')
    expect(job.error).toMatchObject({ code: 'decrypt-incomplete' })
    expect(job.error!.message).toMatch(/^5 of 6 files could not be decrypted: prefix\.enc, short\.enc, other\.enc, 2 more\./)
    const outcomes = job.error!.details.files as { path: string; state: string; code?: string }[]
    expect(outcomes.map(({ state, code }) => [state, code])).toEqual([
      ['done', undefined],
      ['refused', 'not-a-backup'],
      ['refused', 'ends-too-early'],
      ['failed', 'wrong-password'],
      ['refused', 'output-exists'],
      ['refused', 'not-found'],
    ])
    expect(await readFile(join(folder, 'there'), 'utf8')).toBe('precious')
    expect((await readdir(folder)).filter((name) => !name.endsWith('.enc')).sort()).toEqual(['good', 'there'])
  })

  test('two files that would end up as one, and one named twice', async () => {
    await openEngine()
    await mkdir(join(folder, 'b'))
    const one = await put(cryptoFixture('p31-ascii.bin.enc'), 'x.enc')
    const other = await put(cryptoFixture('p31-ascii.bin.enc'), 'b/x.enc')
    const out = join(folder, 'new', 'out')
    const job = await ended(await start({ files: [one, one, other], out, passwords: [ASCII_PASSWORD], overwrite: true }))
    expect(job.items.map(({ state }) => state)).toEqual(['done', 'refused'])
    expect(job.items[1]!.facts.code).toBe('output-exists')
    expect(await readdir(out)).toEqual(['x'])
  })

  test('a folder that was made for the output goes when nothing came of it', async () => {
    await openEngine()
    const file = await put(cryptoFixture('bad-prefix.enc'), 'a.enc')
    await ended(await start({ files: [file], out: join(folder, 'new', 'out') }))
    expect(await readdir(folder)).toEqual(['a.enc'])
  })

  test('cancelled in the middle, nothing half-made is left', async () => {
    await openEngine()
    const names = ['a.enc', 'b.enc', 'c.enc', 'd.enc']
    const files = await Promise.all(names.map((name) => put(cryptoFixture('p5242880-ascii.bin.enc'), name)))
    const jobId = await start({ files, passwords: [ASCII_PASSWORD] })
    await until(jobId, (job) => job.items.some((item) => item.state === 'done' || item.done > 100_000))
    await open.jobs.cancel(jobId)
    const job = await ended(jobId)
    const done = job.items.filter((item) => item.state === 'done').map((item) => item.name.replace('.enc', ''))
    expect(job.state).toBe('cancelled')
    expect((await readdir(folder)).sort()).toEqual([...names, ...done].sort())
  })

  test('no password shows up in the journal or in what was sent to the window', async () => {
    await openEngine({ testsite: AUTO_PASSWORD })
    const good = await put(auto('testsite-1.sql.gz.enc'), 'testsite-1.sql.gz.enc')
    const old = await put(mixed('testsite-w0.sql.gz.enc'), 'testsite-w0.sql.gz.enc')
    const jobId = await start({ files: [good, old], passwords: ['a-given-canary'] })
    const waiting = await until(jobId, (job) => job.state === 'waiting')
    const { id } = itemOf(waiting, 'testsite-w0.sql.gz.enc')
    await procedures['decrypt.tryPassword']({ jobId, item: id, password: MIXED_PASSWORD, rememberFor: 'testsite' })
    await ended(jobId)
    const written = JSON.stringify(open.events) + (await readFile(join(open.context.home.jobs, `${jobId}.jsonl`), 'utf8'))
    for (const canary of [AUTO_PASSWORD, MIXED_PASSWORD, 'a-given-canary']) expect(written).not.toContain(canary)
  })

  test('what a kill left behind is found by the job’s holds', async () => {
    await openEngine()
    const file = await put(cryptoFixture('p31-ascii.bin.enc'), 'a.enc')
    const job = await ended(await start({ files: [file], passwords: [ASCII_PASSWORD] }))
    await writeFile(join(folder, `a.zbd-${job.id}.part`), 'half')
    await writeFile(join(folder, 'a.zbd-another.part'), 'of another job')
    await removePartsOfInterruptedJob(job)
    expect((await readdir(folder)).sort()).toEqual(['a', 'a.enc', 'a.zbd-another.part'])
  })
})

test('looking at dropped files tells backups from the rest', async () => {
  await openEngine({ testsite: null })
  const files = await Promise.all([
    put(auto('config-testsite-1.tar.gz.enc'), 'config-testsite-1.tar.gz.enc'),
    put(cryptoFixture('bad-prefix.enc'), 'notes.enc'),
  ])
  const looked = await procedures['decrypt.look']({ files: [...files, folder, join(folder, 'missing.enc')] })
  expect(looked.files.map(({ name, size, encrypted, site }) => [name, size, encrypted, site]).slice(0, 2)).toEqual([
    ['config-testsite-1.tar.gz.enc', 1233, true, 'testsite'],
    ['notes.enc', 85, false, null],
  ])
  expect(looked.files.slice(2).map(({ size, encrypted }) => [size, encrypted])).toEqual([
    [0, false],
    [0, false],
  ])
})
