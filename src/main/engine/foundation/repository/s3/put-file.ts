import type { Readable } from 'node:stream'
import type { S3Connection } from '../../connections/s3/connection.ts'
import { existsAlready } from '../repository-files.ts'
import type { FileStat, PutOptions } from '../types.ts'
import { PartCutter } from './cut-parts.ts'
import { completeUpload, createUpload, PART_BYTES_UNKNOWN, sendParts } from './multipart.ts'
import { putObject, statObject } from './objects.ts'
import type { PutRecords } from './put-record.ts'
import { changedMeanwhile, hashDiffers } from './refusals.ts'

/**
 * Puts a stream of unknown length: in one request when it is small, else as a multipart upload, which is given up when it does not
 * come to its end.
 * @throws AppError `exists`, `changed-meanwhile`, `hash-differs`, those of the connection
 */
export async function putFile(
  { s3, puts }: { s3: S3Connection; puts: PutRecords },
  name: string,
  body: Readable,
  put: PutOptions,
): Promise<FileStat> {
  const { signal, sha256 } = put
  const cutter = new PartCutter(body, { isHashed: sha256 !== undefined })
  const assertHash = () => {
    const found = cutter.sha256()
    if (sha256 !== undefined && found !== sha256) throw hashDiffers(name, { wanted: sha256, found: found ?? '' })
  }
  try {
    await assertCondition(s3, name, put)
    const first = await cutter.next(PART_BYTES_UNKNOWN, signal)
    if (await cutter.isAtEnd(signal)) {
      assertHash()
      const { ifVersion } = put
      const expected = put.ifAbsent ? 'absent' : ifVersion === undefined ? 'anything' : { version: ifVersion }
      await putObject(s3, name, first?.bytes ?? Buffer.alloc(0), { expected, signal })
    } else {
      const upload = await createUpload(s3, name, signal)
      try {
        await puts.begin(upload)
        if (first) cutter.putBack(first)
        const parts = await sendParts(s3, upload, cutter, { partBytes: PART_BYTES_UNKNOWN, signal })
        assertHash()
        await assertCondition(s3, name, put)
        await completeUpload(s3, upload, parts, signal)
      } catch (error) {
        // what broke it off is what has to be told
        await puts.giveUp(upload).catch(() => {})
        throw error
      }
      await puts.end(upload)
    }
  } catch (error) {
    body.destroy()
    throw error
  }
  const facts = await statObject(s3, name)
  if (facts) return facts
  throw changedMeanwhile(name, s3.place)
}

async function assertCondition(s3: S3Connection, name: string, { ifAbsent, ifVersion, signal }: PutOptions): Promise<void> {
  if (!ifAbsent && ifVersion === undefined) return
  const present = await statObject(s3, name, signal)
  if (ifAbsent && present !== null) throw existsAlready(name, s3.place)
  if (ifVersion !== undefined && present?.version !== ifVersion) throw changedMeanwhile(name, s3.place)
}
