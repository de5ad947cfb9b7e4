import { ListMultipartUploadsCommand, PutObjectCommand } from '@aws-sdk/client-s3'
import { afterAll, afterEach, beforeAll } from 'vitest'
import type { S3Repository } from '#engine/foundation/repository/s3/repository.ts'
import type { FilestoreSettings } from '#shared/model/site.ts'
import { startS3, type TestS3 } from './ceph.ts'
import { type HttpFaultProxy, startHttpFaultProxy } from './http-fault-proxy.ts'
import { filestoreSettings, openTestS3, type S3RepositoryTestOptions } from './s3-repository.ts'

/** An S3 server for a test file, with a way to it on which things go wrong. */
export interface FaultyS3 {
  readonly server: TestS3
  readonly proxy: HttpFaultProxy
  /** A new filestore behind the proxy. */
  settings(): FilestoreSettings
  /** Opens a filestore behind the proxy. */
  open(options?: S3RepositoryTestOptions): Promise<S3Repository>
  /** Writes an object past everything of ours. */
  putForeign(repository: S3Repository, name: string, content: string | Buffer): Promise<unknown>
  /** The keys of uploads that are neither completed nor given up. */
  uploadsOf(repository: S3Repository): Promise<string[]>
}

/** A stall is noticed after a second. */
export const QUICK_S3 = { stallMs: 1000, pauseMs: 10 }

/** Starts it before the first test of the file, and stops it after the last one. */
export function faultyS3(): FaultyS3 {
  let server: TestS3
  let proxy: HttpFaultProxy
  beforeAll(async () => {
    server = await startS3()
    proxy = await startHttpFaultProxy(server.port)
  })
  afterEach(() => proxy.clear())
  afterAll(async () => {
    await proxy?.close()
    await server?.stop()
  })
  return {
    get server() {
      return server
    },
    get proxy() {
      return proxy
    },
    settings: () => filestoreSettings(server, { endpoint: proxy.endpoint }),
    open: (options = {}) =>
      openTestS3(server, { patience: QUICK_S3, ...options, settings: { endpoint: proxy.endpoint, ...options.settings } }),
    putForeign(repository, name, content) {
      const object = { Bucket: server.bucket, Key: repository.connection.keyOf(name) }
      return server.client().send(new PutObjectCommand({ ...object, Body: Buffer.from(content) }))
    },
    async uploadsOf(repository) {
      const listed = await server
        .client()
        .send(new ListMultipartUploadsCommand({ Bucket: server.bucket, Prefix: repository.connection.keyOf('') }))
      return (listed.Uploads ?? []).map(({ Key }) => Key ?? '')
    },
  }
}
