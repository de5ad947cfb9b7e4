import { cp, mkdtemp, readdir, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { buffer } from 'node:stream/consumers'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { openFolderRepository } from '#engine/foundation/repository/folder.ts'
import { openSftpRepository } from '#engine/foundation/repository/sftp.ts'
import type { Repository } from '#engine/foundation/repository/types.ts'
import { missingCeph, startS3, type TestS3 } from '#test/support/ceph.ts'
import { pollAsStandby } from '#test/support/fake-standby.ts'
import { fixture, hasFixtures } from '#test/support/fixtures.ts'
import { openTestS3 } from '#test/support/s3-repository.ts'
import { openTestSsh, type TestSsh } from '#test/support/ssh-connection.ts'
import { type Sshd, startSshd, whyNoSshd } from '#test/support/sshd.ts'
import { blindExaminer, contentsOf, makeBackup, transfer } from '#test/support/transfers.ts'

const why = hasFixtures ? (missingCeph() ?? whyNoSshd()) : 'the fixtures of a real server are missing'
if (why) console.error(`SKIPPED in transfer.test.ts: ${why}`)

const MIB = 1 << 20

describe.skipIf(why !== null)('backups between repositories', () => {
  let s3: TestS3
  let sshd: Sshd
  let ssh: TestSsh
  let folder: string
  let made = 0

  beforeAll(async () => {
    s3 = await startS3()
    sshd = await startSshd()
    ssh = await openTestSsh(sshd)
    folder = await mkdtemp(join(tmpdir(), 'backup-desk-transfer-'))
  })
  afterAll(async () => {
    await s3?.stop()
    await ssh?.close()
    await sshd?.stop()
    await rm(folder, { recursive: true, force: true })
  })

  const newFolder = async (backups?: string) => {
    made += 1
    const path = join(folder, `server-${made}`)
    await cp(fixture('backups', backups ?? '1-plain-full'), path, {
      recursive: true,
      filter: (file) => backups !== undefined || !/\.(gz|json)$/.test(file),
    })
    return openFolderRepository({ folder: path, owner: 'server' })
  }
  const kinds: Record<string, () => Promise<Repository>> = {
    folder: () => newFolder(),
    sftp: async () => openSftpRepository({ connection: await ssh.connect(), folder: (await newFolder()).folder }),
    s3: () => openTestS3(s3),
  }
  const pairs = Object.keys(kinds).flatMap((from) => Object.keys(kinds).map((to) => [from, to] as const))

  it.each(pairs)('from %s to %s, byte for byte and index for index', async (from, to) => {
    const server = await newFolder('1-plain-full')
    const source = (await kinds[from]?.()) as Repository
    await transfer(server, source, 'testsite-1')
    const target = (await kinds[to]?.()) as Repository
    const { bytes } = await transfer(source, target, 'testsite-1')
    expect(bytes).toBe(1179 + 232_399 + 1_536_710)
    expect(await contentsOf(target)).toEqual(await contentsOf(server))
    expect([...(await target.readIndex())]).toEqual([...(await server.readIndex())])
  })

  it('is accepted by a standby, plain and encrypted, also what a server encrypted', async () => {
    const filestore = await openTestS3(s3)
    const standby = await mkdtemp(join(folder, 'standby-'))
    const fetchFile = async (file: string) => {
      // the index is fetched as any other object is
      const facts = await filestore.stat(file)
      return facts && buffer(await filestore.read(file))
    }
    const plain = await newFolder('1-plain-full')
    await transfer(plain, filestore, 'testsite-1', { isFilestoreUploaded: true })
    const first = await pollAsStandby(standby, fetchFile)
    expect(first).toMatchObject({ fetched: ['testsite-1'], refused: [] })
    expect(first.imported?.database).toEqual(await readFile(fixture('backups', '1-plain-full', 'testsite-1.sql.gz')))
    expect(first.imported?.config).toEqual(await readFile(fixture('backups', '1-plain-full', 'config-testsite-1.tar.gz')))
    const encrypted = await newFolder('3-slots-mixed')
    for (const name of ['testsite-3', 'testsite-4']) await transfer(encrypted, filestore, name, { isFilestoreUploaded: true })
    const second = await pollAsStandby(standby, fetchFile)
    expect(second.refused).toEqual([])
    expect(second.fetched.sort()).toEqual(['testsite-3', 'testsite-4'])
    for (const [, entry] of await filestore.readIndex()) expect(entry.is_filestore_uploaded).toBe(true)
    expect((await readdir(standby)).filter((file) => file.endsWith('.tmp'))).toEqual([])
  })

  it('keeps the entries that a server writes meanwhile', async () => {
    const source = await newFolder('1-plain-full')
    const target = await newFolder()
    const other = openFolderRepository({ folder: target.folder, owner: 'server' })
    const writing: Repository = {
      ...target,
      async openSlot(slot) {
        await makeBackup(target.folder, { database: 1000 }, { name: 'testsite-5', timestamp: 1_795_500_000 })
        return target.openSlot(slot)
      },
    }
    await transfer(source, writing, 'testsite-1')
    expect([...(await other.readIndex()).keys()].sort()).toEqual(['testsite-1', 'testsite-5'])
  })

  it('streams from one filestore to another without the disk, and resumes there', async () => {
    const local = await newFolder()
    await makeBackup(local.folder, { database: 40 * MIB, config: 1000 })
    const from = await openTestS3(s3)
    await transfer(local, from, 'testsite-1')
    const to = await openTestS3(s3)
    const cancel = new AbortController()
    const onProgress = (_kind: string, position: number) => {
      if (position > 30 * MIB) cancel.abort()
    }
    const stopped = await transfer(from, to, 'testsite-1', { onProgress, signal: cancel.signal }).catch((error) => error)
    expect(stopped.code).toBe('cancelled')
    const { sent } = await transfer(from, to, 'testsite-1', { examiner: blindExaminer })
    expect(sent).toBeLessThan(40 * MIB)
    expect(await contentsOf(to)).toEqual(await contentsOf(local))
  })
})
