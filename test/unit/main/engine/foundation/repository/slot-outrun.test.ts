import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { openFilesRepository } from '#engine/foundation/repository/files-repository.ts'
import { type LocalFiles, localFiles } from '#engine/foundation/repository/local-files.ts'
import { AppError } from '#shared/errors.ts'
import { temporaryFolder } from '#test/support/home.ts'
import { codeOf } from '#test/support/repository-contract.ts'
import { hashesOf, incomingOf, sendPart } from '#test/support/slot-contract.ts'
import { contentOf, SLOT_KINDS } from '#test/support/slots.ts'

const NAME = 'testsite-1'
const never = new AbortController().signal

/** A server's folder, in which the server does something right before a step of ours. */
async function beside(change: (files: LocalFiles) => Partial<LocalFiles>) {
  const files = localFiles({ folder: await temporaryFolder(), owner: 'server' })
  const repository = openFilesRepository({ kind: 'folder', files: { ...files, ...change(files) } })
  const lease = await repository.lease()
  const slot = await repository.openSlot(incomingOf('ours'))
  for (const kind of SLOT_KINDS) await sendPart(slot, kind, contentOf('ours', kind))
  return { folder: files.folder, slot, lease }
}

/** The server's own backup of the slot, newer than ours. */
async function serverWrites(folder: string): Promise<void> {
  await writeFile(join(folder, `${NAME}.sql.gz`), 'the newer dump')
  const entry = { timestamp: 3000, database: `${NAME}.sql.gz`, database_hash: null }
  await writeFile(join(folder, 'backup.json'), JSON.stringify({ [NAME]: entry }))
}

async function expectServers(folder: string): Promise<void> {
  expect(await readFile(join(folder, `${NAME}.sql.gz`), 'utf8')).toBe('the newer dump')
  expect(JSON.parse(await readFile(join(folder, 'backup.json'), 'utf8'))[NAME].timestamp).toBe(3000)
}

describe('a server that writes a newer backup into the slot', () => {
  it('keeps it when it came while the parts were checked', async () => {
    const { folder, slot, lease } = await beside((files) => ({
      async sync(names) {
        if (names?.length === 3) await serverWrites(files.folder)
        await files.sync(names)
      },
    }))
    expect(await codeOf(slot.putInPlace(hashesOf('ours'), never))).toBe('slot-newer')
    await expectServers(folder)
    await lease.release()
  })

  it('keeps it when it came while the connection was lost, before the first rename', async () => {
    let isCut = true
    const { folder, slot, lease } = await beside((files) => ({
      async rename(from, to) {
        if (isCut && to === `${NAME}.sql.gz`) throw new AppError('connection-lost', 'The connection is gone.')
        await files.rename(from, to)
      },
    }))
    expect(await codeOf(slot.putInPlace(hashesOf('ours'), never))).toBe('slot-index-pending')
    isCut = false
    await serverWrites(folder)
    expect(await codeOf(slot.putInPlace(hashesOf('ours'), never))).toBe('slot-newer')
    await expectServers(folder)
    await lease.release()
  })
})
