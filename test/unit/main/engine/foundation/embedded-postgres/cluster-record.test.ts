import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, test } from 'vitest'
import {
  type ClusterRecord,
  readClusterRecord,
  runningPostmaster,
  writeClusterRecord,
} from '#engine/foundation/embedded-postgres/cluster-record.ts'
import { cleanEnvironment, freePort } from '#engine/foundation/embedded-postgres/server-process.ts'
import { ownIdentity } from '#engine/foundation/process-identity.ts'
import { temporaryFolder } from '#test/support/home.ts'

async function recordIn(folder: string, change: Partial<ClusterRecord>): Promise<ClusterRecord> {
  await mkdir(join(folder, 'data'), { recursive: true })
  const record: ClusterRecord = {
    version: 1,
    purpose: 'demo',
    startedBy: 'zbd',
    owner: ownIdentity(),
    runFolder: folder,
    isMade: true,
    postmaster: null,
    port: 5000,
    ...change,
  }
  await writeClusterRecord(folder, record)
  return record
}

test('a damaged record counts as none', async () => {
  const folder = await temporaryFolder()
  expect(await readClusterRecord(folder)).toBeNull()
  const record = await recordIn(folder, {})
  expect(await readClusterRecord(folder)).toEqual(record)
  await writeFile(join(folder, 'cluster.json'), '{"version":1')
  expect(await readClusterRecord(folder)).toBeNull()
})

test('another process with the pid of the server is not taken for it', async () => {
  const folder = await temporaryFolder()
  const own = ownIdentity()
  // this very process stands for a stranger that got the pid
  const record = await recordIn(folder, { postmaster: { pid: own.pid, start: '1' } })
  await writeFile(join(folder, 'data', 'postmaster.pid'), `${own.pid}\n${folder}\n0\n5000\n\n127.0.0.1\n0\nready   \n`)
  expect(await runningPostmaster(record)).toBeNull()
})

test('the environment of the server holds nothing of the app’s', () => {
  process.env.BACKUP_DESK_PASSPHRASE = 'secret'
  try {
    expect(cleanEnvironment({ X: '1' })).toMatchObject({ X: '1', LC_ALL: 'C', PATH: process.env.PATH })
    expect(JSON.stringify(cleanEnvironment({}))).not.toContain('secret')
  } finally {
    delete process.env.BACKUP_DESK_PASSPHRASE
  }
})

test('free ports', async () => {
  const port = await freePort()
  expect(port).toBeGreaterThan(1023)
})
