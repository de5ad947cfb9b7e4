import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { markUploaded, readIsInFilestore } from '#engine/features/transfer/filestore-facts.ts'
import { openFolderRepository } from '#engine/foundation/repository/folder.ts'
import type { IndexEntry } from '#engine/foundation/repository/types.ts'
import type { Site } from '#shared/model/site.ts'
import { openTestContext } from '#test/support/engine-context.ts'
import { temporaryFolder } from '#test/support/home.ts'
import { makeBackup } from '#test/support/transfers.ts'

const UNSET = new AbortController().signal

it('says in the source’s index that the filestore has a backup, of that backup alone', async () => {
  const folder = join(await temporaryFolder(), 'server')
  for (const slot of ['1', '2'])
    await makeBackup(folder, { database: 100 }, { name: `testsite-${slot}`, timestamp: 1_795_000_000 })
  const repository = openFolderRepository({ folder, owner: 'server' })
  const index = await repository.readIndex()
  await markUploaded(repository, 'testsite-1', index.get('testsite-1') as IndexEntry, UNSET)
  // a newer one came into the slot meanwhile
  await markUploaded(repository, 'testsite-2', { ...(index.get('testsite-2') as IndexEntry), timestamp: 1_794_000_000 }, UNSET)
  const after = JSON.parse(await readFile(join(folder, 'backup.json'), 'utf8')) as Record<string, IndexEntry>
  expect([after['testsite-1']?.is_filestore_uploaded, after['testsite-2']?.is_filestore_uploaded]).toEqual([true, false])
})

it('takes from the source what can’t be seen, and says why', async () => {
  const { context, close } = await openTestContext(await temporaryFolder())
  onTestFinished(close)
  // its secret key is not stored, so that nobody can look
  const site = {
    version: 1,
    name: 'testsite',
    database: { host: 'h', port: 1, database: 'd', schema: 's', user: 'u', tls: 'disable', via: 'direct' },
    filestore: { endpoint: 'http://127.0.0.1:1', region: 'r', bucket: 'b', prefix: '', pathStyle: true, accessKeyId: 'k' },
    rotation: 'auto',
  } satisfies Site
  const uploaded: IndexEntry = { timestamp: 1, is_filestore_uploaded: true }
  const not: IndexEntry = { timestamp: 1, is_filestore_uploaded: false }
  const notes: string[] = []
  const ask = (of: Site, direction: { from: 'vault' | 'filestore'; to: 'server' | 'filestore' }) =>
    readIsInFilestore(context, of, direction, (note) => notes.push(note))
  const unseen = await ask(site, { from: 'vault', to: 'server' })
  expect([unseen('testsite-1', uploaded), unseen('testsite-1', not)]).toEqual([true, false])
  expect(notes).toEqual([expect.stringContaining('taken from the source')])
  const { filestore: _, ...without } = site
  const none = await ask(without, { from: 'vault', to: 'server' })
  expect([none('testsite-1', uploaded), none('testsite-1', not)]).toEqual([true, false])
  for (const direction of [
    { from: 'vault', to: 'filestore' },
    { from: 'filestore', to: 'server' },
  ] as const) {
    expect((await ask(site, direction))('testsite-1', not)).toBe(true)
  }
  expect(notes).toHaveLength(1)
})
