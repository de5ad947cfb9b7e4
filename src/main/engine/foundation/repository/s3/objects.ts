import { createHash } from 'node:crypto'
import { DeleteObjectCommand, HeadObjectCommand, ListObjectsV2Command, PutObjectCommand } from '@aws-sdk/client-s3'
import { AppError } from '#shared/errors.ts'
import type { S3Connection } from '../../connections/s3/connection.ts'
import { failureOf, isAbsent, isUnknownToServer, isUnmet, type S3Failure } from '../../connections/s3/errors.ts'
import { isOurs, isPlainName, showName } from '../names.ts'
import { existsAlready } from '../repository-files.ts'
import type { FileStat } from '../types.ts'
import { changedMeanwhile } from './refusals.ts'

/** More objects than this are no backup folder of a site. */
const MAX_LISTED = 100_000
/** As much each page counts: a server that sends empty ones must not be asked for ever. */
const LEAST_OF_A_PAGE = 500

/** An ETag without its quotes: some servers want it so in a condition. */
export function bareEtag(etag: string | undefined): string {
  return (etag ?? '').replace(/^(?:W\/)?"|"$/g, '')
}

/** Every plain file directly below `backup/`, those of ours left out. @throws AppError `too-many-files` */
export async function listObjects(s3: S3Connection, signal?: AbortSignal): Promise<FileStat[]> {
  const files: FileStat[] = []
  const prefix = s3.keyOf('')
  let seen = 0
  let token: string | undefined
  do {
    const page = await s3.send(
      'list the backups',
      ({ client, options }) =>
        client.send(
          new ListObjectsV2Command({
            Bucket: s3.bucket,
            Prefix: prefix,
            Delimiter: '/',
            ...(token === undefined ? {} : { ContinuationToken: token }),
          }),
          options,
        ),
      { signal },
    )
    const objects = page.Contents ?? []
    seen += Math.max(objects.length + (page.CommonPrefixes?.length ?? 0), LEAST_OF_A_PAGE)
    if (seen > MAX_LISTED) throw tooMany(s3)
    for (const { Key, Size, ETag, LastModified } of objects) {
      const name = Key?.startsWith(prefix) ? Key.slice(prefix.length) : ''
      if (!isPlainName(name) || isOurs(name)) continue
      files.push({ name, size: Size ?? 0, version: bareEtag(ETag), modified: LastModified ?? new Date(0) })
    }
    token = page.IsTruncated ? page.NextContinuationToken : undefined
  } while (token !== undefined)
  return files
}

/** null: there is no such object. */
export async function statObject(s3: S3Connection, name: string, signal?: AbortSignal): Promise<FileStat | null> {
  const head = await orNull(
    s3.send(
      `look at ${name}`,
      ({ client, options }) => client.send(new HeadObjectCommand({ Bucket: s3.bucket, Key: s3.keyOf(name) }), options),
      { signal, isExpected: isAbsent },
    ),
    isAbsent,
  )
  if (head === null) return null
  return {
    name,
    size: head.ContentLength ?? 0,
    version: bareEtag(head.ETag),
    modified: head.LastModified ?? new Date(0),
  }
}

/** Also what is not there. */
export async function removeObject(s3: S3Connection, name: string, signal?: AbortSignal): Promise<void> {
  await s3.send(
    `remove ${name}`,
    ({ client, options }) => client.send(new DeleteObjectCommand({ Bucket: s3.bucket, Key: s3.keyOf(name) }), options),
    { signal },
  )
}

/** What a small object is put under the condition of. */
export interface PutCondition {
  /** `absent`: nothing is there; else the version that is there. */
  expected: 'absent' | 'anything' | { version: string }
  signal?: AbortSignal | undefined
}

/**
 * Puts bytes in one request. A condition is looked at right before and, by a server that can, in the same moment.
 * @returns the version that is there now
 * @throws AppError `exists`, `changed-meanwhile`
 */
export async function putObject(s3: S3Connection, name: string, bytes: Buffer, condition: PutCondition): Promise<string> {
  const { expected, signal } = condition
  const md5 = createHash('md5').update(bytes).digest()
  const put = (header: { IfNoneMatch?: string; IfMatch?: string }) => {
    const isExpected = (failure: S3Failure) =>
      Object.keys(header).length > 0 && (isUnmet(failure) || isAbsent(failure) || isUnknownToServer(failure))
    return s3
      .send(
        `write ${name}`,
        ({ client, options }) =>
          client.send(
            new PutObjectCommand({
              Bucket: s3.bucket,
              Key: s3.keyOf(name),
              Body: bytes,
              ContentMD5: md5.toString('base64'),
              ContentType: name.endsWith('.json') ? 'application/json' : 'application/octet-stream',
              ...header,
            }),
            options,
          ),
        { signal, isExpected },
      )
      .then(
        ({ ETag }) => ({ version: bareEtag(ETag) || md5.toString('hex') }),
        (error: unknown) => {
          if (error instanceof AppError || signal?.aborted) throw error
          return isUnknownToServer(failureOf(error)) ? ('unknown' as const) : ('unmet' as const)
        },
      )
  }
  const putAnyway = async () => {
    const outcome = await put({})
    // without a condition nothing but "put" is expected
    return typeof outcome === 'object' ? outcome.version : md5.toString('hex')
  }
  /** When the answer to a request was lost, the next try finds what the first one put. */
  const isOurPut = (found: FileStat | null) => found?.version === md5.toString('hex')

  if (expected === 'anything') {
    return putAnyway()
  }
  const before = await statObject(s3, name, signal)
  if (expected === 'absent') {
    if (before !== null) throw existsAlready(name, s3.place)
    if (s3.traits.ifNoneMatch !== 'no') {
      const outcome = await put({ IfNoneMatch: '*' })
      if (typeof outcome === 'object') return outcome.version
      if (outcome === 'unmet') {
        if (isOurPut(await statObject(s3, name, signal))) return md5.toString('hex')
        throw existsAlready(name, s3.place)
      }
      s3.traits.ifNoneMatch = 'no'
    }
    return putAnyway()
  }
  if (before?.version !== expected.version) throw changedMeanwhile(name, s3.place)
  while (s3.traits.ifMatch !== 'no') {
    const outcome = await put({ IfMatch: s3.traits.ifMatch === 'quoted' ? `"${expected.version}"` : expected.version })
    if (typeof outcome === 'object') return outcome.version
    if (outcome === 'unmet') {
      const now = await statObject(s3, name, signal)
      // what was there already tells nothing of who put it
      if (isOurPut(now) && now?.version !== expected.version) return md5.toString('hex')
      if (now?.version !== expected.version) throw changedMeanwhile(name, s3.place)
    }
    // it was the same all the time: the server reads the condition in another way
    s3.traits.ifMatch = outcome === 'unmet' && s3.traits.ifMatch === 'quoted' ? 'bare' : 'no'
  }
  return putAnyway()
}

/** null when it failed in the way that is expected. */
export async function orNull<T>(waited: Promise<T>, isExpected: (failure: S3Failure) => boolean): Promise<T | null> {
  return waited.catch((error: unknown) => {
    if (!(error instanceof AppError) && isExpected(failureOf(error))) return null
    throw error
  })
}

function tooMany(s3: S3Connection): AppError {
  return new AppError('too-many-files', `${s3.place}/backup holds more than ${MAX_LISTED} objects: it is not read.`, {
    hint: `Does ${showName(s3.keyOf(''))} name the folder of one site’s backups?`,
    details: { place: s3.place },
  })
}
