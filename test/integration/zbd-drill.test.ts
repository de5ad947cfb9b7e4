import { once } from 'node:events'
import { readdir, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { clusterDataFolder } from '#engine/foundation/embedded-postgres/cluster.ts'
import { readClusterRecord } from '#engine/foundation/embedded-postgres/cluster-record.ts'
import { isAlive } from '#engine/foundation/process-identity.ts'
import { putChangedBackup } from '#test/support/drill.ts'
import { fixture, hasFixtures } from '#test/support/fixtures.ts'
import { temporaryFolder } from '#test/support/home.ts'
import { spawnZbd, zbd } from '#test/support/zbd.ts'

if (!hasFixtures) console.error('SKIPPED test/integration/zbd-drill.test.ts: the fixtures of a real server are missing')

describe.skipIf(!hasFixtures)('zbd drill', () => {
  it('of a folder: 0 when it is well, with the whole report', async () => {
    const home = await temporaryFolder()
    const password = join(home, 'password')
    await writeFile(password, 'zażółć-backup-🔐 pw\n')
    const folder = fixture('backups', '3-slots-mixed')
    const drilled = await zbd(['drill', '--folder', folder, 'testsite-w2', '--password-file', password, '--json'], { home })
    expect(drilled.code, drilled.stderr).toBe(0)
    expect(drilled.json.result).toMatchObject({
      name: 'testsite-w2',
      repository: 'folder',
      report: { outcome: 'passed', tables: 37, rowCounts: { rsc: 126, edge: 111, medium: 8 }, keptIn: null },
      proof: { level: 3, verdict: 'verified', drill: { outcome: 'passed' } },
    })
    const locked = await zbd(['drill', '--folder', folder, 'testsite-w2', '--json'], { home })
    expect([locked.code, locked.json.error.code]).toEqual([1, 'password-needed'])
  })

  it('finds what is wrong: exit 3, by drill and by verify --level 3; what it kept is cleaned away', async () => {
    const home = await temporaryFolder()
    const folder = await temporaryFolder()
    await putChangedBackup(folder, { files: (archive) => rm(join(archive, '2026/11/23/doc1-718737740.pdf')) })
    const verified = await zbd(['verify', '--folder', folder, '--level', '3', '--json'], { home })
    expect(verified.code, verified.stderr).toBe(3)
    expect(verified.json.result).toMatchObject({
      verdict: 'failed',
      proofs: [{ proof: { level: 2, verdict: 'failed', drill: { outcome: 'failed', keptIn: expect.any(String) } } }],
    })
    const [kept] = await readdir(join(home, 'scratch'))
    const data = (await clusterDataFolder(join(home, 'scratch', kept!)))!
    const cleaned = await zbd(['drill', '--clean', '--json'], { home })
    expect([cleaned.code, cleaned.json.result]).toMatchObject([0, { removed: [{ folder: join(home, 'scratch', kept!) }] }])
    await expect(stat(data)).rejects.toThrow('ENOENT')
    expect(await readdir(join(home, 'scratch'))).toEqual([])
  })

  it('takes nothing that it does not know', async () => {
    const home = await temporaryFolder()
    for (const args of [
      ['drill'],
      ['drill', '--clean', 'x'],
      ['drill', '--folder', '/x', 'a', 'b'],
      ['drill', 'a', '--from', 'moon'],
    ]) {
      expect((await zbd([...args, '--json'], { home })).json.error?.code, args.join(' ')).toBe('wrong-use')
    }
    const level = await zbd(['verify', 'a', 'b', '--level', '4', '--json'], { home })
    expect([level.code, level.json.error.message]).toEqual([2, 'verify: --level is 1, 2 or 3, not "4".'])
    const empty = await temporaryFolder()
    expect((await zbd(['drill', '--folder', empty, '--json'], { home })).json.error.code).toBe('unknown-backup')
  })

  it('killed in the middle of it: the next command ends and removes what it left', async () => {
    const home = await temporaryFolder()
    const child = spawnZbd(['drill', '--folder', fixture('backups', '1-plain-full')], { home })
    await new Promise<void>((resolve, reject) => {
      child.once('close', () => reject(new Error('it ended before it could be killed')))
      child.stderr?.on('data', (text: Buffer) => {
        if (text.toString().includes('Restoring the database')) resolve()
      })
    })
    child.removeAllListeners('close')
    child.kill('SIGKILL')
    await once(child, 'exit')
    const [left] = await readdir(join(home, 'scratch'))
    const record = (await readClusterRecord(join(home, 'scratch', left!)))!
    expect(isAlive(record.postmaster!)).toBe(true)
    expect((await zbd(['sites'], { home })).code).toBe(0)
    expect(isAlive(record.postmaster!)).toBe(false)
    expect(await readdir(join(home, 'scratch'))).toEqual([])
    await expect(stat(record.runFolder)).rejects.toThrow('ENOENT')
  })
})
