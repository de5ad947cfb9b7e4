import { createHash } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { S3Client } from '@aws-sdk/client-s3'
import { AppError } from '#shared/errors.ts'
import type { FilestoreSettings } from '#shared/model/site.ts'
import { failureOf, filestoreError, isPassing, type S3Failure, type S3Place } from './errors.ts'
import { PlainGets } from './plain-get.ts'

// its maker's notice about older versions of Node is for who builds a program, not for who runs one
process.env.AWS_SDK_JS_NODE_VERSION_SUPPORT_WARNING_DISABLED ??= 'true'

const CONNECT_MS = 10_000
const TRIES = 5
/** The Date header is cut to seconds. */
const HALF_SECOND_MS = 500
/** Connections that are kept for the next one who asks. */
const MAX_KEPT = 8

/** How trouble of the network is waited out; for tests to make short. */
export interface S3Patience {
  /** A request without a byte for this long is stalled, and given up. */
  stallMs: number
  /** Before the second try; three times as long before each further one. */
  pauseMs: number
}

const PATIENCE: S3Patience = { stallMs: 25_000, pauseMs: 150 }

export interface SendOptions {
  signal?: AbortSignal | undefined
  /** How often it is tried when network or server fail for the moment; default 5. */
  tries?: number
  /** Failures that mean something to the caller: handed on as they are, not as an AppError. */
  isExpected?: (failure: S3Failure) => boolean
}

/** What a request is sent with. */
export interface Sending {
  client: S3Client
  /** To be given to `client.send`. */
  options: { abortSignal: AbortSignal }
}

/** A bucket of an S3-compatible server, with what was learnt of it. */
export interface S3Connection extends S3Place {
  readonly settings: FilestoreSettings
  /** What the server does with conditions of a PUT; learnt by trying, once for each connection. */
  readonly traits: { ifNoneMatch: 'unknown' | 'yes' | 'no'; ifMatch: 'quoted' | 'bare' | 'no' }
  /** The straight way to parts of objects. */
  readonly plainGets: PlainGets
  /** The server's clock less this computer's, in ms, to a second; null: it has not answered yet. */
  readonly clockDifference: number | null
  /** The key of a file below `backup/`. Source: docs/formats.md, "Filestore". */
  keyOf(name: string): string
  /**
   * Sends a request; what passes (network, 500, SlowDown) is tried again with growing pauses. A body must be bytes: a stream
   * can't be sent twice.
   * @param action what it is for, for messages: `read backup.json`
   * @throws AppError `filestore-unreachable`, `filestore-credentials`, `filestore-forbidden`, `filestore-clock`, `filestore-busy`,
   *   `filestore-certificate`, `filestore-region`, `bucket-unknown`, `disk-full`, `filestore-error`
   */
  send<O>(action: string, request: (sending: Sending) => Promise<O>, options?: SendOptions): Promise<O>
}

const kept = new Map<string, S3Connection>()

/**
 * Connects to a filestore: nothing is sent yet. The same settings give the same connection again, so that its sockets are
 * used again.
 * @param options.secret the secret key
 * @throws AppError `ca-unreadable`
 */
export async function openS3(options: {
  settings: FilestoreSettings
  secret: string
  patience?: S3Patience | undefined
}): Promise<S3Connection> {
  const { settings, secret, patience = PATIENCE } = options
  const ca = settings.caFile === undefined ? null : await readCa(settings.caFile)
  const id = createHash('sha256')
    .update(JSON.stringify([settings, secret, ca, patience]))
    .digest('hex')
  const connection = kept.get(id) ?? connect({ settings, secret, ca, patience })
  // the one that was used last is the last to go
  kept.delete(id)
  kept.set(id, connection)
  const [oldest] = kept.keys()
  if (kept.size > MAX_KEPT && oldest !== undefined) kept.delete(oldest)
  return connection
}

async function readCa(file: string): Promise<string> {
  return readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new AppError('ca-unreadable', `The file with the authorities to trust can’t be read: ${file} (${error.code}).`, {
      hint: 'Check the path in the site’s settings.',
      details: { file, system: error.code ?? null },
      cause: error,
    })
  })
}

function connect({
  settings,
  secret,
  ca,
  patience,
}: {
  settings: FilestoreSettings
  secret: string
  ca: string | null
  patience: S3Patience
}): S3Connection {
  const { bucket, prefix, region, accessKeyId } = settings
  let clockDifference: number | null = null
  const client = new S3Client({
    region,
    ...(settings.endpoint === undefined ? {} : { endpoint: settings.endpoint }),
    ignoreConfiguredEndpointUrls: true,
    forcePathStyle: settings.pathStyle,
    credentials: { accessKeyId, secretAccessKey: secret },
    // servers that do not know the newer checksums refuse such uploads, or store them corrupt
    requestChecksumCalculation: 'WHEN_REQUIRED',
    responseChecksumValidation: 'WHEN_REQUIRED',
    // it would sign with the server's time and say nothing; an operator has to know of a wrong clock
    disableClockSkewCorrection: true,
    // it would open a connection for each part
    expectContinueHeader: false,
    // send() tries again, with the body of the answer included
    maxAttempts: 1,
    requestHandler: {
      connectionTimeout: CONNECT_MS,
      socketTimeout: patience.stallMs,
      ...(ca === null ? {} : { httpsAgent: { ca } }),
    },
  })
  client.middlewareStack.add(
    (next) => async (args) => {
      const result = await next(args)
      const { headers } = (result.response ?? {}) as { headers?: Record<string, string> }
      const date = Date.parse(headers?.date ?? '')
      if (Number.isFinite(date)) clockDifference = date + HALF_SECOND_MS - Date.now()
      return result
    },
    // below the one that reads the answer, which throws when it is an error
    { step: 'deserialize', priority: 'low', name: 'readServerClock' },
  )
  client.middlewareStack.add(
    (next) => async (args) => {
      const { headers } = args.request as { headers: Record<string, string> }
      // the MD5 is signed and guards the body already: another hash of all bytes would only take time
      if (headers['content-md5'] !== undefined) headers['x-amz-content-sha256'] = 'UNSIGNED-PAYLOAD'
      return next(args)
    },
    { step: 'build', priority: 'low', name: 'guardBodyByMd5' },
  )
  const base = prefix === '' ? 'backup/' : `${prefix}/backup/`
  const where: S3Place = {
    place: `s3://${bucket}${prefix === '' ? '' : `/${prefix}`}`,
    host: settings.endpoint ?? `s3.${region}.amazonaws.com`,
    bucket,
    accessKeyId,
  }
  return {
    ...where,
    settings,
    traits: { ifNoneMatch: 'unknown', ifMatch: 'quoted' },
    plainGets: new PlainGets({ connectMs: CONNECT_MS, stallMs: patience.stallMs, ca }),
    get clockDifference() {
      return clockDifference
    },
    keyOf: (name) => base + name,
    async send(action, request, { signal, tries = TRIES, isExpected } = {}) {
      for (let tried = 1; ; tried += 1) {
        signal?.throwIfAborted()
        const controller = new AbortController()
        const onAbort = () => controller.abort(signal?.reason)
        signal?.addEventListener('abort', onAbort, { once: true })
        try {
          return await request({ client, options: { abortSignal: controller.signal } })
        } catch (error) {
          // ends what the request has left open
          controller.abort()
          signal?.throwIfAborted()
          const failure = failureOf(error)
          if (error instanceof AppError || isExpected?.(failure)) throw error
          if (tried >= tries || !isPassing(failure)) throw filestoreError(error, where, action)
        } finally {
          signal?.removeEventListener('abort', onAbort)
        }
        await pause(patience.pauseMs * 3 ** (tried - 1), signal)
      }
    },
  }
}

/** Waits, up to a half longer, so that many who were refused together do not come back together. */
async function pause(milliseconds: number, signal: AbortSignal | undefined): Promise<void> {
  const spread = milliseconds * (1 + Math.random() / 2)
  await sleep(spread, undefined, signal ? { signal } : {}).catch(() => signal?.throwIfAborted())
}
