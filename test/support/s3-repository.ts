import { randomBytes } from 'node:crypto'
import type { S3Patience } from '#engine/foundation/connections/s3/connection.ts'
import { openS3Repository, type S3Repository } from '#engine/foundation/repository/s3/repository.ts'
import type { FilestoreSettings } from '#shared/model/site.ts'
import type { S3User, TestS3 } from './ceph.ts'
import { temporaryFolder } from './home.ts'

/** The settings of a filestore in the server's bucket, below a prefix of its own. */
export function filestoreSettings(s3: TestS3, changes: Partial<FilestoreSettings> = {}): FilestoreSettings {
  return {
    endpoint: s3.endpoint,
    region: 'us-east-1',
    bucket: s3.bucket,
    prefix: `site-${randomBytes(4).toString('hex')}`,
    pathStyle: true,
    accessKeyId: s3.accessKeyId,
    ...changes,
  }
}

export interface S3RepositoryTestOptions {
  settings?: Partial<FilestoreSettings>
  user?: S3User
  /** Default: a temporary folder of the test. */
  transfers?: string
  leaseWaitMs?: number
  patience?: S3Patience
}

/** An empty filestore of its own, unless the settings name one. */
export async function openTestS3(s3: TestS3, options: S3RepositoryTestOptions = {}): Promise<S3Repository> {
  const { accessKeyId, secretAccessKey } = options.user ?? s3
  return openS3Repository({
    settings: filestoreSettings(s3, { accessKeyId, ...options.settings }),
    secret: secretAccessKey,
    transfers: options.transfers ?? (await temporaryFolder()),
    leaseWaitMs: options.leaseWaitMs,
    patience: options.patience,
  })
}
