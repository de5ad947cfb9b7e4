import { Readable } from 'node:stream'
import { GetObjectCommand, type GetObjectCommandInput } from '@aws-sdk/client-s3'
import type { S3Connection, Sending } from './connection.ts'
import { TruncatedAnswer } from './errors.ts'
import type { SignedGet } from './plain-http.ts'
import type { PartTaker } from './plain-wire.ts'

/**
 * Gets a part of an object into memory of the caller: the SDK signs the request and reads what a refusal says, the bytes come
 * straight where the answer is a plain one, else as the SDK gives them.
 * @throws what {@link S3Connection.send} sorts out, what the taker throws
 */
export async function getPart(
  s3: S3Connection,
  { client, options }: Sending,
  input: GetObjectCommandInput,
  taker: PartTaker,
): Promise<void> {
  const command = new GetObjectCommand(input)
  let isTaken = false
  command.middlewareStack.add(
    (next) => async (args) => {
      const answer = await s3.plainGets.get(args.request as SignedGet, taker, options.abortSignal)
      if (answer === null) return next(args)
      const { statusCode, headers, document } = answer
      isTaken = statusCode === 206
      const body = Readable.from(isTaken ? [] : [document])
      return { response: { statusCode, headers, body } } as Awaited<ReturnType<typeof next>>
    },
    { step: 'deserialize', priority: 'low', name: 'getPlainPart' },
  )
  const { ContentRange, ETag, Body } = await client.send(command, options)
  if (isTaken) return
  taker.begin({ contentRange: ContentRange, etag: ETag })
  await received(Body as Readable, taker)
}

/** Takes a body as it comes: by events, which cost half of what an async loop does for each chunk. */
function received(body: Readable, taker: PartTaker): Promise<void> {
  return new Promise((resolve, reject) => {
    body.once('end', resolve).once('error', reject)
    body.on('data', (chunk: Buffer) => {
      try {
        for (let rest = chunk; rest.length > 0; ) {
          const copied = rest.copy(taker.space())
          rest = rest.subarray(copied)
          taker.took(copied)
        }
      } catch (error) {
        body.destroy(error as Error)
      }
    })
    body.once('close', () => reject(new TruncatedAnswer('the answer broke off')))
  })
}
