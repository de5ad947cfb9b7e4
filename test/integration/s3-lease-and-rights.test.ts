import { buffer } from 'node:stream/consumers'
import { PutBucketPolicyCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { afterEach, describe, expect, it, vi } from 'vitest'
import type { S3User } from '#test/support/ceph.ts'
import { faultyS3 } from '#test/support/faulty-s3.ts'
import { codeOf } from '#test/support/repository-contract.ts'
import { filestoreSettings, type S3RepositoryTestOptions } from '#test/support/s3-repository.ts'
import { expectWhole, hashesOf, incomingOf, sendPart, storeBackup } from '#test/support/slot-contract.ts'
import { contentOf, SLOT_KINDS } from '#test/support/slots.ts'

const never = new AbortController().signal
afterEach(() => {
  vi.useRealTimers()
  vi.restoreAllMocks()
})
const s3 = faultyS3()

describe('the lease of a filestore', () => {
  it('is taken over from one that is dead by the server’s clock, and told by whom it is held before', async () => {
    const repository = await s3.open({ leaseWaitMs: 300 })
    const since = new Date().toISOString()
    const owner = { token: 'other', host: 'desk-2', machine: null, pid: 1, start: null, since }
    await s3.putForeign(repository, '.backup-desk.lease', JSON.stringify(owner))
    await expect(repository.lease()).rejects.toMatchObject({ code: 'repository-busy', details: { host: 'desk-2' } })
    const later = new Date(Date.now() + 100_000).toUTCString()
    s3.proxy.add({ fault: { kind: 'headers', headers: { date: later } }, times: 1000 })
    const lease = await repository.lease()
    s3.proxy.clear()
    expect(await repository.list()).toEqual([])
    await lease.release()
  })

  it('notices that it was lost, before anything is put in place', async () => {
    const repository = await s3.open()
    const entry = { timestamp: 1000, database: 'testsite-2.sql.gz' }
    await repository.updateIndex((index) => index.set('testsite-2', entry))
    const lease = await repository.lease()
    const slot = await repository.openSlot(incomingOf('new'))
    for (const kind of SLOT_KINDS) await sendPart(slot, kind, contentOf('new', kind))
    await s3.putForeign(repository, '.backup-desk.lease', '{"token":"other"}')
    expect(await codeOf(slot.putInPlace(hashesOf('new'), never))).toBe('lease-lost')
    expect(await codeOf(repository.updateIndex((index) => index.clear()))).toBe('lease-lost')
    expect(await codeOf(repository.removeSlot({ name: 'testsite-2', timestamp: 1000 }))).toBe('lease-lost')
    await lease.release()
    expect([...(await repository.readIndex())]).toEqual([['testsite-2', entry]])
    expect((await repository.list()).map(({ name }) => name)).toEqual(['backup.json'])
    expect(String(await buffer(await repository.read('.backup-desk.lease')))).toBe('{"token":"other"}')
  })

  it('is still had when the answer to a beat was lost with the line', async () => {
    const repository = await s3.open()
    vi.useFakeTimers({ toFake: ['setInterval', 'clearInterval'] })
    const lease = await repository.lease()
    const slot = await repository.openSlot(incomingOf('new'))
    // the first one learns how the server reads a condition
    vi.advanceTimersByTime(20_000)
    await repository.updateIndex(() => {})
    const isBeat = ({ method, path }: { method: string; path: string }) => method === 'PUT' && path.includes('.backup-desk.lease')
    s3.proxy.add({ fault: { kind: 'lost-answer' }, when: isBeat })
    s3.proxy.add({ fault: { kind: 'reset-request', after: 0 }, when: isBeat, times: 4 })
    vi.advanceTimersByTime(20_000)
    vi.advanceTimersByTime(20_000)
    for (const kind of SLOT_KINDS) await sendPart(slot, kind, contentOf('new', kind))
    await slot.putInPlace(hashesOf('new'), never)
    expect(
      s3.proxy.requests.filter((seen) => seen.startsWith('PUT') && seen.includes('.backup-desk.lease')).length,
    ).toBeGreaterThan(6)
    await lease.release()
    await expectWhole(repository, 'new')
  })

  it('is let go of when nothing answers', async () => {
    const repository = await s3.open({ patience: { stallMs: 60_000, pauseMs: 10 } })
    const lease = await repository.lease()
    s3.proxy.add({ fault: { kind: 'stall', after: 0 }, times: 1000 })
    const timeout = AbortSignal.timeout.bind(AbortSignal)
    vi.spyOn(AbortSignal, 'timeout').mockImplementation((milliseconds) => timeout(milliseconds / 50))
    const began = performance.now()
    await lease.release()
    expect(performance.now() - began).toBeLessThan(20_000)
    s3.proxy.clear()
    await (await repository.lease()).release()
  })

  it('lets one in at a time where the server knows no conditions', async () => {
    const settings = s3.settings()
    const client = s3.server.client()
    const putAnyway = async (path: string, Body: Buffer) => {
      const Key = path.replace(/^\/[^/]*\//, '').replace(/\?.*$/, '')
      const { ETag } = await client.send(new PutObjectCommand({ Bucket: s3.server.bucket, Key, Body }))
      return { status: 200, headers: { etag: ETag ?? '' } }
    }
    const isConditional = ({ headers }: { headers: Record<string, unknown> }) =>
      headers['if-none-match'] !== undefined || headers['if-match'] !== undefined
    const isPut = (seen: { method: string; headers: Record<string, unknown> }) => seen.method === 'PUT' && isConditional(seen)
    s3.proxy.add({ fault: { kind: 'answer', by: putAnyway }, when: isPut, times: 10_000 })
    let inside = 0
    let most = 0
    await Promise.all(
      [0, 1, 2].map(async (at) => {
        // three computers: nothing of one is known to the other
        const repository = await s3.open({ settings: { ...settings, region: `region-${at}` } })
        const turn = await repository.lease()
        inside += 1
        most = Math.max(most, inside)
        await repository.updateIndex((index) => index.set(`a-${at}`, { timestamp: at }))
        inside -= 1
        await turn.release()
        expect(repository.capabilities.conditionalPut).toBe(false)
      }),
    )
    expect(most).toBe(1)
    expect((await (await s3.open({ settings })).readIndex()).size).toBe(3)
  })
})

describe('a filestore that says no', () => {
  it.each<[string, S3RepositoryTestOptions & { secret?: string }, string]>([
    ['a wrong secret key', { secret: 'wrong' }, 'filestore-credentials'],
    ['an unknown access key', { settings: { accessKeyId: 'UNKNOWN' } }, 'filestore-credentials'],
    ['an unknown bucket', { settings: { bucket: 'no-such-bucket' } }, 'bucket-unknown'],
    ['a host that does not exist', { settings: { endpoint: 'http://filestore.invalid' } }, 'filestore-unreachable'],
    ['TLS where there is none', { settings: { endpoint: 'https' } }, 'filestore-certificate'],
  ])('is told in plain words: %s', async (_, { secret, ...options }, code) => {
    if (options.settings?.endpoint === 'https') options.settings.endpoint = s3.server.endpoint.replace('http:', 'https:')
    const user: S3User = { ...s3.server, ...(secret ? { secretAccessKey: secret } : {}) }
    const repository = await s3.open({ user, ...options })
    const failure = await repository.list().catch((error: unknown) => error)
    expect(failure).toMatchObject({ code })
    expect(JSON.stringify([failure, String(failure)])).not.toContain(user.secretAccessKey)
  })

  it('refuses when this computer’s clock is wrong, each time', async () => {
    const repository = await s3.open()
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 20 * 60_000 })
    expect(await codeOf(repository.list())).toBe('filestore-clock')
    expect(await codeOf(repository.list())).toBe('filestore-clock')
    vi.useRealTimers()
    expect(await repository.list()).toEqual([])
  })

  it('tells which right is missing, and needs none to delete', async () => {
    const user = await s3.server.addUser('limited')
    const settings = filestoreSettings(s3.server, { accessKeyId: user.accessKeyId })
    const repository = await s3.open({ user, settings })
    await expect(repository.list()).rejects.toMatchObject({ code: 'filestore-forbidden', message: /list the backups/ })
    const allowed = ['s3:ListBucket', 's3:GetObject', 's3:PutObject', 's3:ListMultipartUploadParts', 's3:AbortMultipartUpload']
    const Policy = JSON.stringify({
      Version: '2012-10-17',
      Statement: [
        {
          Effect: 'Allow',
          Principal: { AWS: [user.arn] },
          Action: allowed,
          Resource: [`arn:aws:s3:::${s3.server.bucket}`, `arn:aws:s3:::${s3.server.bucket}/*`],
        },
      ],
    })
    await s3.server.client().send(new PutBucketPolicyCommand({ Bucket: s3.server.bucket, Policy }))
    await storeBackup(repository, 'old', { timestamp: 1000, isEncrypted: true })
    await storeBackup(repository, 'new')
    await expectWhole(repository, 'new')
    // the encrypted files of the old one stay: nobody may delete them
    expect((await repository.list()).length).toBe(1 + 2 * SLOT_KINDS.length)
    const began = performance.now()
    await (await repository.lease()).release()
    expect(performance.now() - began).toBeLessThan(10_000)
    await expect(repository.remove('testsite-1.sql.gz.enc')).rejects.toMatchObject({ code: 'filestore-forbidden' })
  })
})
