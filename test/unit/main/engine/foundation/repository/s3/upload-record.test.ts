import { readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { openUploadRecords, storeIdOf, type UploadRecord } from '#engine/foundation/repository/s3/upload-record.ts'
import { temporaryFolder } from '#test/support/home.ts'

const store = storeIdOf({ host: 'https://s3.example.org', place: 's3://backups/a' })
const record: UploadRecord = {
  version: 1,
  id: 'xfr-0123456789abcdef',
  store,
  place: 's3://backups/a',
  name: 'testsite-1',
  timestamp: 2000,
  isEncrypted: false,
  isFilestoreUploaded: true,
  unknownKeys: { note: [1] },
  touchedAt: new Date(0).toISOString(),
  parts: [{ kind: 'database', size: 5, uploadId: '2~abc' }],
  pending: null,
}

it('keeps what is under way, by filestore', async () => {
  const folder = await temporaryFolder()
  const records = openUploadRecords(folder, store)
  expect(await records.list()).toEqual([])
  await records.save(record)
  expect(await records.get(record.id)).toEqual(record)
  expect(await records.list()).toEqual([record])
  const other = openUploadRecords(folder, storeIdOf({ host: 'https://s3.example.org', place: 's3://backups/b' }))
  expect(await other.get(record.id)).toBeNull()
  expect(await other.list()).toEqual([])
  await records.remove(record.id)
  await records.remove(record.id)
  expect(await readdir(folder)).toEqual([])
})

it('takes no record that is damaged or of another name for one', async () => {
  const folder = await temporaryFolder()
  const records = openUploadRecords(folder, store)
  await writeFile(join(folder, `xfr-aaaaaaaaaaaaaaaa-${store}.json`), '{"version":1')
  await writeFile(join(folder, `xfr-bbbbbbbbbbbbbbbb-${store}.json`), JSON.stringify(record))
  await writeFile(
    join(folder, `${record.id}-${store}.json`),
    JSON.stringify({ ...record, parts: [{ kind: 'database', size: 0 }] }),
  )
  expect(await records.list()).toEqual([])
})

it('knows nothing under way where the folder is not there yet', async () => {
  expect(await openUploadRecords(join(await temporaryFolder(), 'none'), store).list()).toEqual([])
})
