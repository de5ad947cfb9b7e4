import { setTimeout as sleep } from 'node:timers/promises'
import { GetObjectCommand } from '@aws-sdk/client-s3'
import { AppError } from '#shared/errors.ts'
import type { S3Connection } from '../../connections/s3/connection.ts'
import { isAbsent, TruncatedAnswer } from '../../connections/s3/errors.ts'
import { emptyIndex, type IndexDocument, MAX_INDEX_BYTES, parseIndex, serializeIndex } from '../backup-index.ts'
import { INDEX_FILE } from '../names.ts'
import { hasCode, type TextFile } from '../repository-files.ts'
import type { BackupIndex } from '../types.ts'
import { bareEtag, orNull, putObject } from './objects.ts'

const TRIES = 5

/** A small object with the moment when it was written, by the server's clock. */
export interface TextObject extends TextFile {
  modified: Date
}

/** The first `maxBytes` of an object, one state of it; null: there is none. */
export async function readText(
  s3: S3Connection,
  name: string,
  maxBytes: number,
  signal?: AbortSignal,
): Promise<TextObject | null> {
  return orNull(
    s3.send(
      `read ${name}`,
      async ({ client, options }) => {
        const answer = await client.send(new GetObjectCommand({ Bucket: s3.bucket, Key: s3.keyOf(name) }), options)
        const chunks: Buffer[] = []
        let length = 0
        for await (const chunk of answer.Body as AsyncIterable<Buffer>) {
          chunks.push(chunk)
          length += chunk.length
          if (length > maxBytes) break
        }
        if (length < Math.min(maxBytes, answer.ContentLength ?? 0)) throw new TruncatedAnswer(`${name} did not come whole`)
        return {
          text: Buffer.concat(chunks).toString('utf8', 0, maxBytes),
          version: bareEtag(answer.ETag),
          modified: answer.LastModified ?? new Date(0),
        }
      },
      { signal, isExpected: isAbsent },
    ),
    isAbsent,
  )
}

/** Reads backup.json; a missing one is empty. @throws AppError `index-corrupt` */
export async function readIndexObject(s3: S3Connection): Promise<{ document: IndexDocument; file: TextFile | null }> {
  // one byte more than allowed is enough to see that there is more
  const file = await readText(s3, INDEX_FILE, MAX_INDEX_BYTES + 1)
  return { document: file ? parseIndex(file.text, `${s3.place}/backup/${INDEX_FILE}`) : emptyIndex(), file }
}

/**
 * Reads backup.json, lets `change` alter its entries and writes it back unless it was changed meanwhile; then it is read back. A
 * server uploads its own without asking anybody, so that ours may be lost: it is merged once more then.
 * @param change may be called several times, each time with what the index says by then
 * @param always also when it says all that already: an index is never older than the files that it names
 * @throws AppError `index-busy` when it kept changing, `index-corrupt`; the index is then as somebody else wrote it
 */
export async function updateIndexObject(s3: S3Connection, change: (index: BackupIndex) => void, always = false): Promise<void> {
  let isNew = !always
  for (let writes = 0; writes <= TRIES; writes += 1) {
    const { document, file } = await readIndexObject(s3)
    change(document.entries)
    const text = serializeIndex(document)
    // also how a write is seen to have stayed
    if (file !== null && text === file.text && isNew) return
    if (writes === TRIES) break
    const expected = file === null ? 'absent' : { version: file.version }
    const isReplaced = await putObject(s3, INDEX_FILE, Buffer.from(text), { expected }).then(
      () => true,
      (error: unknown) => {
        if (hasCode(error, 'exists') || hasCode(error, 'changed-meanwhile')) return false
        throw error
      },
    )
    isNew ||= isReplaced
    if (!isReplaced) await sleep(50 * 2 ** writes)
  }
  throw new AppError(
    'index-busy',
    `${INDEX_FILE} in ${s3.place} kept changing while it was to be written. It is as the other program wrote it.`,
    {
      hint: 'The server is probably uploading a backup: try again when it is done.',
      details: { place: s3.place, tries: TRIES },
    },
  )
}
