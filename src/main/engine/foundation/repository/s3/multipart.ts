import { createHash } from 'node:crypto'
import {
  AbortMultipartUploadCommand,
  CompleteMultipartUploadCommand,
  CreateMultipartUploadCommand,
  ListPartsCommand,
  UploadPartCommand,
} from '@aws-sdk/client-s3'
import { AppError } from '#shared/errors.ts'
import type { S3Connection } from '../../connections/s3/connection.ts'
import type { S3Failure } from '../../connections/s3/errors.ts'
import type { Part, PartCutter } from './cut-parts.ts'
import { bareEtag, orNull, statObject } from './objects.ts'

const MiB = 1024 * 1024
const IN_FLIGHT = 4
/** S3's own limit. */
export const MAX_PARTS = 10_000
/** Pages have 1000 parts; a server that sends empty ones must not be asked for ever. */
const MAX_PARTS_PAGES = 100
const MIN_PART_BYTES = 8 * MiB
/** Where the size is not known before: up to 156 GiB. */
export const PART_BYTES_UNKNOWN = 16 * MiB

/** All parts but the last have this size; some servers insist on it. */
export function partBytesFor(size: number): number {
  return Math.max(MIN_PART_BYTES, Math.ceil(size / MAX_PARTS / MiB) * MiB)
}

/** An upload that is not completed: nobody sees it yet. */
export interface Upload {
  name: string
  uploadId: string
}

export interface StoredPart {
  number: number
  size: number
  /** Bare; the part's MD5 unless the server encrypts with keys of its own. */
  etag: string
}

const isGone = ({ code, status }: S3Failure) => code === 'NoSuchUpload' || (status === 404 && code !== 'NoSuchBucket')

export async function createUpload(s3: S3Connection, name: string, signal?: AbortSignal): Promise<Upload> {
  const { UploadId } = await s3.send(
    `write ${name}`,
    ({ client, options }) =>
      client.send(
        new CreateMultipartUploadCommand({
          Bucket: s3.bucket,
          Key: s3.keyOf(name),
          ContentType: 'application/octet-stream',
        }),
        options,
      ),
    { signal },
  )
  if (UploadId) return { name, uploadId: UploadId }
  throw new AppError('filestore-error', `The filestore ${s3.host} gave no id for the upload of ${name}. Nothing was written.`, {})
}

/** The parts that the server has, in order; null: it knows no such upload (any more). */
export async function listParts(s3: S3Connection, upload: Upload, signal?: AbortSignal): Promise<StoredPart[] | null> {
  const parts: StoredPart[] = []
  let marker: string | undefined
  let pages = 0
  do {
    const page = await orNull(
      s3.send(
        `look at the upload of ${upload.name}`,
        ({ client, options }) =>
          client.send(
            new ListPartsCommand({ ...idOf(s3, upload), ...(marker === undefined ? {} : { PartNumberMarker: marker }) }),
            options,
          ),
        { signal, isExpected: isGone },
      ),
      isGone,
    )
    if (page === null) return null
    for (const { PartNumber, Size, ETag } of page.Parts ?? []) {
      if (PartNumber !== undefined) parts.push({ number: PartNumber, size: Size ?? 0, etag: bareEtag(ETag) })
    }
    marker = page.IsTruncated ? page.NextPartNumberMarker : undefined
    pages += 1
  } while (marker !== undefined && parts.length < MAX_PARTS && pages < MAX_PARTS_PAGES)
  return parts.sort((a, b) => a.number - b.number)
}

export interface SendParts {
  partBytes: number
  signal?: AbortSignal | undefined
  /** What the server has of an earlier try; a part with the same checksum is not sent again. */
  stored?: ReadonlyMap<number, StoredPart>
  /** Bytes that were not sent again. */
  onSkipped?: ((bytes: number) => void) | undefined
}

/**
 * Sends a body as parts of an upload, several at once, each with its MD5. After an error what is stored stays.
 * @returns all parts of the body, in order
 */
export async function sendParts(
  s3: S3Connection,
  upload: Upload,
  body: PartCutter,
  { partBytes, signal, stored, onSkipped }: SendParts,
): Promise<StoredPart[]> {
  const sent: StoredPart[] = []
  const inFlight = new Set<Promise<void>>()
  const abort = new AbortController()
  const onAbort = () => abort.abort(signal?.reason)
  signal?.addEventListener('abort', onAbort, { once: true })
  if (signal?.aborted) onAbort()

  const send = async (part: Part): Promise<void> => {
    const { ETag } = await s3.send(
      `write ${upload.name}`,
      ({ client, options }) =>
        client.send(
          new UploadPartCommand({
            ...idOf(s3, upload),
            PartNumber: part.number,
            Body: part.bytes,
            ContentMD5: part.md5.toString('base64'),
          }),
          options,
        ),
      { signal: abort.signal },
    )
    sent.push({ number: part.number, size: part.bytes.length, etag: bareEtag(ETag) || part.md5.toString('hex') })
    body.giveBack(part)
  }

  try {
    for (;;) {
      const part = await body.next(partBytes, abort.signal)
      if (part === null) break
      if (part.number > MAX_PARTS) throw tooLarge(upload.name, partBytes)
      const present = stored?.get(part.number)
      if (present?.size === part.bytes.length && present.etag === part.md5.toString('hex')) {
        sent.push(present)
        onSkipped?.(part.bytes.length)
        body.giveBack(part)
        continue
      }
      const sending = send(part)
        .catch((error: unknown) => abort.abort(error))
        .finally(() => inFlight.delete(sending))
      inFlight.add(sending)
      if (inFlight.size >= IN_FLIGHT) await Promise.race(inFlight)
    }
    await Promise.all(inFlight)
    abort.signal.throwIfAborted()
  } catch (error) {
    abort.abort(error)
    body.destroy()
    await Promise.all(inFlight)
    throw abort.signal.reason
  } finally {
    signal?.removeEventListener('abort', onAbort)
  }
  return sent.sort((a, b) => a.number - b.number)
}

/**
 * Makes the object of an upload: at once and whole. Asked for again after the answer was lost, it sees that it is done.
 * @throws AppError `slot-part-differs` when the object is not what was uploaded
 */
export async function completeUpload(
  s3: S3Connection,
  upload: Upload,
  parts: readonly StoredPart[],
  signal?: AbortSignal,
): Promise<void> {
  await orNull(
    s3.send(
      `put ${upload.name} in place`,
      ({ client, options }) =>
        client.send(
          new CompleteMultipartUploadCommand({
            ...idOf(s3, upload),
            MultipartUpload: { Parts: parts.map(({ number, etag }) => ({ PartNumber: number, ETag: `"${etag}"` })) },
          }),
          options,
        ),
      { signal, isExpected: isGone },
    ),
    isGone,
  )
  const size = parts.reduce((sum, part) => sum + part.size, 0)
  const found = await statObject(s3, upload.name, signal)
  const expected = etagOf(parts)
  if (found?.size === size && (expected === null || !/^[0-9a-f]{32}-\d+$/.test(found.version) || found.version === expected))
    return
  throw new AppError('slot-part-differs', `${upload.name} is not in ${s3.place} as it was sent.`, {
    hint: 'Did another program write it at the same time? Copy the backup again.',
    details: { file: upload.name, expected: size, found: found?.size ?? null },
  })
}

/** Forgets an upload and its parts; also one that is not there any more. */
export async function abortUpload(s3: S3Connection, upload: Upload): Promise<void> {
  await orNull(
    s3.send(
      `give up the upload of ${upload.name}`,
      ({ client, options }) => client.send(new AbortMultipartUploadCommand(idOf(s3, upload)), options),
      { isExpected: isGone },
    ),
    isGone,
  )
}

/** The ETag of the whole object; null: the parts' ETags are no MD5s, so that it can't be told. */
export function etagOf(parts: readonly StoredPart[]): string | null {
  if (parts.some(({ etag }) => !/^[0-9a-f]{32}$/.test(etag))) return null
  const all = Buffer.concat(parts.map(({ etag }) => Buffer.from(etag, 'hex')))
  return `${createHash('md5').update(all).digest('hex')}-${parts.length}`
}

function idOf(s3: S3Connection, { name, uploadId }: Upload): { Bucket: string; Key: string; UploadId: string } {
  return { Bucket: s3.bucket, Key: s3.keyOf(name), UploadId: uploadId }
}

function tooLarge(name: string, partBytes: number): AppError {
  return new AppError(
    'too-large',
    `${name} is larger than what a filestore takes in ${MAX_PARTS} parts. Nothing was put in place.`,
    {
      details: { name, bytes: partBytes * MAX_PARTS },
    },
  )
}
