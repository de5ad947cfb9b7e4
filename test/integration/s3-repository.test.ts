import { afterAll, beforeAll } from 'vitest'
import { startS3, type TestS3 } from '#test/support/ceph.ts'
import { repositoryContract } from '#test/support/repository-contract.ts'
import { openTestS3 } from '#test/support/s3-repository.ts'

let s3: TestS3

beforeAll(async () => {
  s3 = await startS3()
})
afterAll(() => s3?.stop())

repositoryContract('s3', () => openTestS3(s3))
