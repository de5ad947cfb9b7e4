import { DeleteObjectCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { afterAll, beforeAll } from 'vitest'
import { startS3, type TestS3 } from '#test/support/ceph.ts'
import { temporaryFolder } from '#test/support/home.ts'
import { repositoryContract } from '#test/support/repository-contract.ts'
import { filestoreSettings, openTestS3 } from '#test/support/s3-repository.ts'
import { type SlotPlace, slotContract } from '#test/support/slot-contract.ts'

let s3: TestS3

beforeAll(async () => {
  s3 = await startS3()
})
afterAll(() => s3?.stop())

async function makePlace(): Promise<SlotPlace> {
  const settings = filestoreSettings(s3)
  const transfers = await temporaryFolder()
  const client = s3.client()
  return {
    open: () => openTestS3(s3, { settings, transfers }),
    async putForeign(name, content) {
      const object = { Bucket: s3.bucket, Key: `${settings.prefix}/backup/${name}` }
      if (content === null) await client.send(new DeleteObjectCommand(object))
      else await client.send(new PutObjectCommand({ ...object, Body: content }))
    },
  }
}

repositoryContract('s3', () => openTestS3(s3))
slotContract('s3', makePlace, { isServer: true })
