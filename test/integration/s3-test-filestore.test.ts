import { randomBytes } from 'node:crypto'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { ListObjectsV2Command, PutBucketPolicyCommand, PutBucketVersioningCommand } from '@aws-sdk/client-s3'
import { afterAll, afterEach, beforeAll, expect, it, onTestFinished } from 'vitest'
import { testFilestore } from '#engine/foundation/connections/s3/test-filestore.ts'
import type { ConnectionCheck } from '#shared/contract/sites.ts'
import type { FilestoreSettings } from '#shared/model/site.ts'
import { startS3, type TestS3 } from '#test/support/ceph.ts'
import { temporaryFolder } from '#test/support/home.ts'
import { type HttpFaultProxy, startHttpFaultProxy } from '#test/support/http-fault-proxy.ts'
import { filestoreSettings, openTestS3 } from '#test/support/s3-repository.ts'
import { startTlsProxy } from '#test/support/tls-proxy.ts'

let s3: TestS3
let proxy: HttpFaultProxy

beforeAll(async () => {
  s3 = await startS3()
  proxy = await startHttpFaultProxy(s3.port)
})
afterEach(() => proxy.clear())
afterAll(async () => {
  await proxy?.close()
  await s3?.stop()
})

async function tried(settings: FilestoreSettings, secret: string): Promise<Record<string, ConnectionCheck>> {
  const checks: Record<string, ConnectionCheck> = {}
  for await (const check of testFilestore(settings, secret)) checks[check.name] = check
  expect(JSON.stringify(checks)).not.toContain(secret)
  return checks
}

const outcomes = (checks: Record<string, ConnectionCheck>) =>
  Object.fromEntries(Object.values(checks).map(({ name, outcome }) => [name, outcome]))

const allPassed = {
  resolve: 'passed',
  connect: 'passed',
  'log-in': 'passed',
  write: 'passed',
  read: 'passed',
  delete: 'passed',
  versions: 'passed',
  clock: 'passed',
}

it('warns when backups could be deleted for good, and leaves nothing behind', async () => {
  const settings = filestoreSettings(s3)
  const checks = await tried(settings, s3.secretAccessKey)
  expect(outcomes(checks)).toEqual({ ...allPassed, delete: 'warning', versions: 'warning' })
  expect(checks.delete?.finding).toContain('may delete')
  expect(checks.versions?.finding).toContain('no versions')
  const left = await s3.client().send(new ListObjectsV2Command({ Bucket: s3.bucket }))
  expect(left.KeyCount).toBe(0)
})

it('is content with a bucket that keeps versions and a key that may not delete', async () => {
  await s3.makeBucket('versioned')
  const user = await s3.addUser('careful')
  const Resource = ['arn:aws:s3:::versioned', 'arn:aws:s3:::versioned/*']
  const Action = ['s3:ListBucket', 's3:GetObject', 's3:PutObject', 's3:GetBucketVersioning']
  const Statement = [{ Effect: 'Allow', Principal: { AWS: [user.arn] }, Action, Resource }]
  const client = s3.client()
  await client.send(new PutBucketVersioningCommand({ Bucket: 'versioned', VersioningConfiguration: { Status: 'Enabled' } }))
  const Policy = JSON.stringify({ Version: '2012-10-17', Statement })
  await client.send(new PutBucketPolicyCommand({ Bucket: 'versioned', Policy }))
  const settings = filestoreSettings(s3, { bucket: 'versioned', accessKeyId: user.accessKeyId })
  expect(outcomes(await tried(settings, user.secretAccessKey))).toEqual(allPassed)
  // what it wrote can't be removed, is written over the next time, and is in nobody's way
  expect(outcomes(await tried(settings, user.secretAccessKey))).toEqual(allPassed)
})

it('says where it stops, and tries nothing that needs it', async () => {
  const skipped = { write: 'skipped', read: 'skipped', delete: 'skipped', versions: 'skipped' }
  const refused = await tried(filestoreSettings(s3), 'wrong')
  expect(outcomes(refused)).toEqual({ ...allPassed, 'log-in': 'failed', ...skipped })
  expect(refused['log-in']?.finding).toContain('refused the secret key')
  expect(refused['log-in']?.advice).not.toBe('')

  const nobody = await tried(filestoreSettings(s3, { endpoint: 'http://127.0.0.1:1' }), 'wrong')
  expect(outcomes(nobody)).toEqual({ resolve: 'passed', connect: 'failed', 'log-in': 'skipped', ...skipped, clock: 'skipped' })
  const unknown = await tried(filestoreSettings(s3, { endpoint: 'http://filestore.invalid' }), 'wrong')
  expect(unknown.resolve).toMatchObject({ outcome: 'failed', finding: expect.stringContaining('is not known') })
  const noAuthorities = await tried(filestoreSettings(s3, { caFile: '/no/such/ca.pem' }), 'wrong')
  expect(noAuthorities.resolve).toMatchObject({ outcome: 'failed', finding: expect.stringContaining('/no/such/ca.pem') })
})

it('tells how far the filestore’s clock is off', async () => {
  const date = new Date(Date.now() - 5 * 60_000).toUTCString()
  proxy.add({ fault: { kind: 'headers', headers: { date } }, times: 100 })
  const checks = await tried(filestoreSettings(s3, { endpoint: proxy.endpoint }), s3.secretAccessKey)
  expect(checks.clock?.outcome).toBe('warning')
  expect(checks.clock?.finding).toMatch(/(299|300|301) s behind/)
})

it('is reached by TLS with an authority of its own, and by no other', async () => {
  const tls = await startTlsProxy(s3.port, { folder: await temporaryFolder(), name: 'localhost' })
  onTestFinished(() => tls.close())
  const over = (changes: Partial<FilestoreSettings>) =>
    filestoreSettings(s3, { endpoint: `https://localhost:${tls.port}`, ...changes })
  const trusted = over({ caFile: tls.caFile })
  expect(outcomes(await tried(trusted, s3.secretAccessKey))).toMatchObject({
    'log-in': 'passed',
    write: 'passed',
    read: 'passed',
  })
  // more than one part, and more than one range
  const repository = await openTestS3(s3, { settings: trusted })
  const content = randomBytes(33 * 1024 * 1024)
  await repository.put('testsite-1.sql.gz', Readable.from([content]))
  expect((await buffer(await repository.read('testsite-1.sql.gz'))).equals(content)).toBe(true)
  const wrong = [over({}), over({ caFile: tls.otherCaFile }), { ...trusted, endpoint: `https://127.0.0.1:${tls.port}` }]
  for (const settings of wrong) {
    const checks = await tried(settings, s3.secretAccessKey)
    expect(Object.values(checks).find(({ outcome }) => outcome === 'failed')?.finding).toMatch(/certificate/i)
    const refused = await openTestS3(s3, { settings })
    await expect(refused.list()).rejects.toMatchObject({ code: 'filestore-certificate' })
    await expect(refused.read('testsite-1.sql.gz')).rejects.toMatchObject({ code: 'filestore-certificate' })
  }
})
