import { randomBytes } from 'node:crypto'
import { lookup } from 'node:dns/promises'
import { connect } from 'node:net'
import {
  DeleteObjectCommand,
  GetBucketVersioningCommand,
  GetObjectCommand,
  ListObjectsV2Command,
  PutObjectCommand,
} from '@aws-sdk/client-s3'
import type { ConnectionCheck } from '#shared/contract/sites.ts'
import { type AppError, toAppError } from '#shared/errors.ts'
import type { FilestoreSettings } from '#shared/model/site.ts'
import { openS3, type S3Connection } from './connection.ts'
import { failureOf, filestoreError, isUnknownToServer } from './errors.ts'

/** Written and removed again to see what the key may do. Hidden from lists. */
const PROBE_FILE = '.backup-desk.probe'

const CONNECT_MS = 10_000
/** A server refuses requests at 15 minutes; a minute is nothing that a clock kept by NTP shows. */
const CLOCK_WARNING_MS = 60_000
/** Somebody waits for the answer. */
const TRIES = 2

type Finding = Pick<ConnectionCheck, 'finding'> & { outcome?: 'passed' | 'warning'; advice?: string }

const STEPS = ['resolve', 'connect', 'log-in', 'write', 'read', 'delete', 'versions', 'clock'] as const
type Step = (typeof STEPS)[number]

/**
 * Tries a filestore step by step: `resolve`, `connect`, `log-in` (with a list of the backups), `write`, `read` and `delete` of an
 * object of its own, `versions`, `clock`. It yields each step as it is done; after a failure those that need it are `skipped`.
 * @param secret the secret key
 */
export async function* testFilestore(
  settings: FilestoreSettings,
  secret: string,
  signal?: AbortSignal,
): AsyncGenerator<ConnectionCheck> {
  const failed = new Set<Step>()
  const check = (name: Step, rest: Partial<ConnectionCheck>): ConnectionCheck => ({
    connection: 'filestore',
    name,
    outcome: 'passed',
    finding: '',
    advice: '',
    milliseconds: 0,
    ...rest,
  })
  const attempt = async (name: Step, needs: readonly Step[], action: () => Promise<Finding>): Promise<ConnectionCheck> => {
    const missing = needs.find((step) => failed.has(step))
    if (missing) {
      failed.add(name)
      return check(name, { outcome: 'skipped', finding: `Not tried, because “${missing}” failed.` })
    }
    const start = performance.now()
    try {
      return check(name, { ...(await action()), milliseconds: Math.round(performance.now() - start) })
    } catch (error) {
      signal?.throwIfAborted()
      failed.add(name)
      const { message, hint } = toAppError(error)
      return check(name, {
        outcome: 'failed',
        finding: message,
        advice: hint,
        milliseconds: Math.round(performance.now() - start),
      })
    }
  }

  const { hostname, port } = addressOf(settings)
  const s3 = await openS3({ settings, secret }).catch((error: AppError) => error)
  if (!('send' in s3)) {
    yield check('resolve', { outcome: 'failed', finding: s3.message, advice: s3.hint })
    for (const name of STEPS.slice(1)) yield check(name, { outcome: 'skipped', finding: 'Not tried, because “resolve” failed.' })
    return
  }
  const unreachable = (error: unknown) => filestoreError(error, s3, 'take a connection')
  const probe = Buffer.from(`Backup Desk tries what it may do here: ${randomBytes(8).toString('hex')}\n`)

  yield attempt('resolve', [], async () => {
    const { address } = await lookup(hostname).catch((error: unknown) => {
      throw unreachable(error)
    })
    return { finding: address === hostname ? `${address} is an address.` : `${hostname} is ${address}.` }
  })
  yield attempt('connect', ['resolve'], async () => {
    await connected(hostname, port, signal).catch((error: unknown) => {
      throw unreachable(error)
    })
    return { finding: `Port ${port} of ${hostname} answers.` }
  })
  yield attempt('log-in', ['connect'], () => listBackups(s3, signal))
  yield attempt('write', ['log-in'], async () => {
    await s3.send(
      'write an object',
      ({ client, options }) => client.send(new PutObjectCommand({ ...probeOf(s3), Body: probe }), options),
      { signal, tries: TRIES },
    )
    return { finding: `An object was written to ${s3.place}/backup.` }
  })
  yield attempt('read', ['write'], async () => {
    const read = await s3.send(
      'read an object',
      async ({ client, options }) => {
        const { Body } = await client.send(new GetObjectCommand(probeOf(s3)), options)
        return Body === undefined ? Buffer.alloc(0) : Buffer.from(await Body.transformToByteArray())
      },
      { signal, tries: TRIES },
    )
    if (read.equals(probe)) return { finding: 'It was read back as it was written.' }
    return {
      outcome: 'warning',
      finding: 'It was read back with another content than it was written with.',
      advice: 'Somebody else may have tried this at the same time: try again. If it stays, the server is not to be relied on.',
    }
  })
  yield attempt('delete', ['write'], () => mayDelete(s3, signal))
  yield attempt('versions', ['log-in'], () => hasVersions(s3, signal))
  yield attempt('clock', ['connect'], async () => clockFinding(s3))
}

async function listBackups(s3: S3Connection, signal: AbortSignal | undefined): Promise<Finding> {
  const { KeyCount, IsTruncated } = await s3.send(
    'list the backups',
    ({ client, options }) =>
      client.send(new ListObjectsV2Command({ Bucket: s3.bucket, Prefix: s3.keyOf(''), Delimiter: '/' }), options),
    { signal, tries: TRIES },
  )
  const count = KeyCount ?? 0
  if (count > 0)
    return { finding: `The key is accepted; there are ${IsTruncated ? 'more than ' : ''}${count} files in ${s3.place}/backup.` }
  return { finding: `The key is accepted; ${s3.place}/backup is empty.` }
}

async function mayDelete(s3: S3Connection, signal: AbortSignal | undefined): Promise<Finding> {
  const refused = await s3
    .send('delete an object', ({ client, options }) => client.send(new DeleteObjectCommand(probeOf(s3)), options), {
      signal,
      tries: TRIES,
      isExpected: ({ status }) => status === 403,
    })
    .then(
      () => false,
      (error: unknown) => {
        if (failureOf(error).status === 403) return true
        throw error
      },
    )
  if (refused) return { finding: `The key may not delete, so nobody can delete backups with it. ${PROBE_FILE} stays there.` }
  return {
    outcome: 'warning',
    finding: 'The key may delete: who gets hold of this computer or of the key could delete the backups there.',
    advice: 'If the server need not delete either, take s3:DeleteObject away from the key; or turn versions on in the bucket.',
  }
}

async function hasVersions(s3: S3Connection, signal: AbortSignal | undefined): Promise<Finding> {
  const answer = await s3
    .send(
      'ask for the bucket’s versions',
      ({ client, options }) => client.send(new GetBucketVersioningCommand({ Bucket: s3.bucket }), options),
      { signal, tries: TRIES, isExpected: (failure) => failure.status === 403 || isUnknownToServer(failure) },
    )
    .catch((error: unknown) => {
      const failure = failureOf(error)
      if (failure.status === 403 || isUnknownToServer(failure)) return null
      throw error
    })
  if (answer?.Status === 'Enabled')
    return { finding: 'The bucket keeps versions: what is overwritten or deleted can be had back.' }
  return {
    outcome: 'warning',
    finding:
      answer === null
        ? 'Whether the bucket keeps versions can’t be told: the key may not ask, or the server does not know them.'
        : 'The bucket keeps no versions: what is overwritten or deleted is gone.',
    advice: 'Turn versions on in the bucket, with a rule that removes old ones after some weeks.',
  }
}

function clockFinding({ clockDifference }: S3Connection): Finding {
  if (clockDifference === null) return { outcome: 'warning', finding: 'The filestore does not say what time it has.' }
  const seconds = Math.round(Math.abs(clockDifference) / 1000)
  if (Math.abs(clockDifference) <= CLOCK_WARNING_MS) return { finding: `The clocks differ by ${seconds} s.` }
  return {
    outcome: 'warning',
    finding: `The filestore’s clock is ${seconds} s ${clockDifference > 0 ? 'ahead of' : 'behind'} the clock of this computer.`,
    advice: 'Set the wrong clock right, best by NTP: at 15 minutes the filestore refuses every request.',
  }
}

function probeOf(s3: S3Connection): { Bucket: string; Key: string } {
  return { Bucket: s3.bucket, Key: s3.keyOf(PROBE_FILE) }
}

function addressOf({ endpoint, region, bucket, pathStyle }: FilestoreSettings): { hostname: string; port: number } {
  const url = new URL(endpoint ?? `https://s3.${region}.amazonaws.com`)
  const host = url.hostname.replace(/^\[|\]$/g, '')
  const isName = /[a-z]/i.test(host) && !host.includes(':')
  return {
    hostname: pathStyle || !isName ? host : `${bucket}.${host}`,
    port: url.port === '' ? (url.protocol === 'https:' ? 443 : 80) : Number(url.port),
  }
}

function connected(host: string, port: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port, ...(signal ? { signal } : {}) })
    socket.setTimeout(CONNECT_MS, () => socket.destroy(Object.assign(new Error('no answer'), { code: 'ETIMEDOUT' })))
    socket.once('connect', () => {
      socket.destroy()
      resolve()
    })
    socket.once('error', reject)
  })
}
