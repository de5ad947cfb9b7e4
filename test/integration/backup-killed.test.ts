import { spawn } from 'node:child_process'
import { createHash } from 'node:crypto'
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { localFiles } from '#engine/foundation/repository/local-files.ts'
import { recoverSlots } from '#engine/foundation/repository/slot-recovery.ts'
import { layOutServerFolder, loadFixtureDatabase, siteInput } from '#test/support/backup-site.ts'
import { openTestContext } from '#test/support/engine-context.ts'
import { hasFixtures } from '#test/support/fixtures.ts'
import { temporaryFolder } from '#test/support/home.ts'
import { type Postgres15, startPostgres15 } from '#test/support/postgres.ts'

const CHILD = join(import.meta.dirname, '..', 'support', 'backup-child.ts')
const HEAVY = process.env.HEAVY === '1'
if (!hasFixtures) console.error('SKIPPED test/integration/backup-killed.test.ts: the fixtures of a real server are missing')
if (!HEAVY) console.error('REDUCED test/integration/backup-killed.test.ts: seven backups are killed; HEAVY=1 takes ten')

describe.skipIf(!hasFixtures)('a backup whose program is killed', () => {
  let postgres: Postgres15
  beforeAll(async () => {
    postgres = await startPostgres15()
    await loadFixtureDatabase(postgres, 'site')
  })
  afterAll(() => postgres?.stop())

  it.each([
    ['plain', false, HEAVY ? 7 : 4],
    ['encrypted', true, 3],
  ])(
    'leaves the old backup or the new one, whenever it happens (%s)',
    async (_name, encrypted, kills) => {
      const root = await temporaryFolder()
      const server = await layOutServerFolder(root)
      await writeFile(join(server.archiveDir, 'big.bin'), Buffer.alloc(10_000_000, 'backup'))
      const home = join(root, 'home')
      const vault = join(home, 'backups', 'testsite')
      const secrets: Record<string, string> = { 'site/testsite/database-password': postgres.password }
      if (encrypted) secrets['site/testsite/encryption-password'] = 'old and new'
      const test = await openTestContext(home, { secrets })
      onTestFinished(() => test.close())
      await test.context.sites.add({
        ...siteInput('site', postgres, server),
        ...(encrypted ? { encryption: { enabled: true } } : {}),
      })
      await mkdir(vault, { recursive: true })

      let span = 0
      /** Starts a program that makes a backup; resolves with whether it came to its end. */
      const backUp = async (killAfter: number | null): Promise<boolean> => {
        const request = { site: 'testsite', to: 'vault', databaseOnly: false }
        const child = spawn(process.execPath, [CHILD, JSON.stringify({ home, secrets, request })], { stdio: 'inherit' })
        const ended = new Promise<number | null>((resolve) => child.once('exit', (code) => resolve(code)))
        const began = await Promise.race([hasBegun(vault), ended.then(() => false)])
        const start = Date.now()
        if (killAfter !== null && began) {
          await sleep(killAfter)
          child.kill('SIGKILL')
        }
        const isDone = (await ended) === 0
        // from its first file to its end: where the kills fall
        if (killAfter === null) span = Date.now() - start
        return isDone
      }

      expect(await backUp(null)).toBe(true)
      let interrupted = 0
      for (let kill = 0; kill < kills; kill++) {
        await sleep(1000)
        if (!(await backUp((span * (kill + Math.random())) / kills))) interrupted += 1
        await recoverSlots(localFiles({ folder: vault, owner: 'home' }))
        await expectWhole(vault)
      }
      expect(interrupted).toBeGreaterThan(0)
      await test.jobs.sweep()
      // one killed right after its end is done and not interrupted; none counts as running
      const states = new Set((await test.context.jobs.list()).map(({ state }) => state))
      expect([...states].sort()).toEqual(['done', 'interrupted'])
      await sleep(1000)
      expect(await backUp(null)).toBe(true)
      await expectWhole(vault)
    },
    180_000,
  )
})

/** Resolves when a file for the making is there. */
async function hasBegun(vault: string): Promise<boolean> {
  for (let tries = 0; tries < 20_000; tries++) {
    if ((await readdir(vault)).some((file) => file.endsWith('.part'))) return true
    await sleep(5)
  }
  return false
}

/** Every file is named by the index, has its hash, and there is nothing else but what was made to read the folder's clock. */
async function expectWhole(vault: string): Promise<void> {
  const index = JSON.parse(await readFile(join(vault, 'backup.json'), 'utf8'))
  const named = ['backup.json']
  for (const entry of Object.values<Record<string, string>>(index)) {
    for (const part of ['database', 'config_files', 'files']) {
      const file = entry[part]!
      named.push(file)
      const hash = createHash('sha256')
        .update(await readFile(join(vault, file)))
        .digest('hex')
      expect(hash, file).toBe(entry[`${part}_hash`])
    }
  }
  const files = (await readdir(vault)).filter((file) => !file.startsWith('.backup-desk.clock-'))
  expect(files.sort()).toEqual(named.sort())
}
