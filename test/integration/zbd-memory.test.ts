import { randomFillSync } from 'node:crypto'
import { createReadStream, createWriteStream } from 'node:fs'
import { mkdir, open, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { createEncryptStream } from '#engine/features/encryption/index.ts'
import { hasFixtures } from '#test/support/fixtures.ts'
import { temporaryFolder } from '#test/support/home.ts'
import { type Postgres15, startPostgres15 } from '#test/support/postgres.ts'
import { makeRealSite } from '#test/support/real-site.ts'
import { spawnZbd, type ZbdOptions } from '#test/support/zbd.ts'

const isHeavy = process.env.HEAVY === '1'
/** Media bytes; the database has a quarter of it. Below the limit itself nothing would be proven. */
const SIZE = 2_000_000_000
const LIMIT = 300_000_000
const PASSWORD = 'a long enough password'
if (!isHeavy)
  console.error('SKIPPED test/integration/zbd-memory.test.ts: 2 GB through each command take minutes; HEAVY=1 does it')

/** Runs zbd and follows the peak of its resident memory (VmHWM), in bytes. */
async function peakOf(args: string[], options: ZbdOptions): Promise<number> {
  const child = spawnZbd([...args, '--json'], options)
  child.stdin?.end()
  let out = ''
  child.stdout?.on('data', (text: Buffer) => {
    out += text.toString()
  })
  let peak = 0
  const look = setInterval(async () => {
    const status = await readFile(`/proc/${child.pid}/status`, 'utf8').catch(() => '')
    peak = Math.max(peak, Number(/VmHWM:\s+(\d+)/.exec(status)?.[1] ?? 0) * 1024)
  }, 50)
  const code = await new Promise((resolve) => child.once('close', resolve))
  clearInterval(look)
  expect([args[0], code, out.slice(0, 500)]).toMatchObject([args[0], 0, expect.stringContaining('"ok":true')])
  console.error(`${args[0]}: peak ${(peak / 1e6).toFixed(0)} MB`)
  return peak
}

async function writeRandomFile(path: string, size: number): Promise<void> {
  const handle = await open(path, 'w')
  const block = Buffer.allocUnsafe(1 << 20)
  for (let written = 0; written < size; written += block.length)
    await handle.write(randomFillSync(block), 0, Math.min(block.length, size - written))
  await handle.close()
}

describe.runIf(isHeavy && hasFixtures && process.platform === 'linux')('memory of zbd', () => {
  let postgres: Postgres15
  beforeAll(async () => {
    postgres = await startPostgres15()
  })
  afterAll(() => postgres?.stop())

  it('stays flat while it backs up, verifies, restores and decrypts a large site', async () => {
    const folder = await temporaryFolder()
    const home = join(folder, 'home')
    await mkdir(home)
    const site = await makeRealSite(postgres, folder, 'large')
    await postgres.psql(
      'large',
      `create table testsite.big as select g as id, (select string_agg(md5((g * i)::text), '') from generate_series(1, 30) i) as text
       from generate_series(1, ${Math.round(SIZE / 4 / 970)}) g; alter table testsite.big owner to zotonic;`,
    )
    const media = join(site.filesDir, 'archive', '2026', '11', '24')
    await mkdir(media, { recursive: true })
    for (let part = 0; part < 4; part += 1) await writeRandomFile(join(media, `part-${part}.bin`), SIZE / 4)
    const options: ZbdOptions = { home, env: { BACKUP_DESK_PASSPHRASE: 'passphrase' } }
    await peakOf(['sites', 'add', '--file', site.siteFile], options)

    expect(await peakOf(['backup', 'testsite'], options)).toBeLessThan(LIMIT)
    const vault = join(home, 'backups', 'testsite')
    const name = (await readdir(vault)).find((file) => /^testsite-\w+\.sql\.gz$/.test(file))?.replace('.sql.gz', '') ?? ''
    expect(await peakOf(['verify', 'testsite', name], options)).toBeLessThan(LIMIT)
    await rm(join(site.filesDir, 'archive'), { recursive: true })
    await mkdir(join(site.filesDir, 'archive'))
    expect(await peakOf(['restore', 'testsite', name, '--confirm', 'testsite'], options)).toBeLessThan(LIMIT)
    expect((await readdir(media)).sort()).toEqual(['part-0.bin', 'part-1.bin', 'part-2.bin', 'part-3.bin'])

    const encrypted = join(folder, 'testsite-1.tar.gz.enc')
    await pipeline(createReadStream(join(vault, `${name}.tar.gz`)), createEncryptStream(PASSWORD), createWriteStream(encrypted))
    await writeFile(join(folder, 'pw'), PASSWORD)
    const out = join(folder, 'out')
    expect(await peakOf(['decrypt', encrypted, '--out', out, '--password-file', join(folder, 'pw')], options)).toBeLessThan(LIMIT)
  }, 3_000_000)
})
