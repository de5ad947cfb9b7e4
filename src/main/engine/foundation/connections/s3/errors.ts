import { AppError } from '#shared/errors.ts'
import { NETWORK_CODES } from '../network-codes.ts'

/** Where an error happened, for messages. Never a secret. */
export interface S3Place {
  /** `s3://BUCKET/PREFIX` */
  place: string
  /** `https://s3.example.org`, or AWS's own name. */
  host: string
  bucket: string
  accessKeyId: string
}

/** What an answer or a failure of the network says, whatever kind of error carried it. */
export interface S3Failure {
  /** The server's code (`NoSuchKey`), the system's (`ECONNRESET`), or the error's name. */
  code: string
  status: number | null
  text: string
}

const NETWORK = new Set<string>([...NETWORK_CODES, 'TimeoutError', 'NetworkingError', 'truncated-answer'])

const BUSY = new Set([
  'InternalError',
  'OperationAborted',
  'RequestTimeout',
  'RequestTimeoutException',
  'ServiceUnavailable',
  'SlowDown',
  'Throttling',
  'ThrottlingException',
  'TooManyRequests',
  // the bytes were altered on their way
  'BadDigest',
  'XAmzContentSHA256Mismatch',
])

const CREDENTIALS = new Set([
  'SignatureDoesNotMatch',
  'InvalidAccessKeyId',
  'InvalidSecurity',
  'ExpiredToken',
  'InvalidToken',
  'AuthFailure',
])

const REGION = new Set([
  'AuthorizationHeaderMalformed',
  'PermanentRedirect',
  'IncorrectEndpoint',
  'IllegalLocationConstraintException',
])

/** An answer with fewer bytes than it announced. */
export class TruncatedAnswer extends Error {
  readonly code = 'truncated-answer'
}

export function failureOf(error: unknown): S3Failure {
  if (typeof error !== 'object' || error === null) return { code: 'unknown', status: null, text: String(error) }
  const { name, code, Code, message, $metadata, cause, errors } = error as {
    name?: string
    code?: unknown
    Code?: unknown
    message?: string
    $metadata?: { httpStatusCode?: number }
    cause?: unknown
    errors?: unknown[]
  }
  const status = $metadata?.httpStatusCode ?? null
  const first = Array.isArray(errors) ? errors[0] : undefined
  const system = [code, (cause as { code?: unknown } | undefined)?.code, (first as { code?: unknown } | undefined)?.code]
  const known = status === null ? system.find((value) => typeof value === 'string') : undefined
  const isHangUp = status === null && /socket hang up|aborted/.test(message ?? '')
  const fallback = isHangUp ? 'ECONNRESET' : (name ?? 'unknown')
  return {
    code: String(known ?? (typeof Code === 'string' ? Code : fallback)),
    status,
    text: String(message ?? '').slice(0, 300),
  }
}

/** Whether the same request may do better a moment later. */
export function isPassing({ code, status }: S3Failure): boolean {
  if (NETWORK.has(code) || BUSY.has(code)) return true
  return status === 429 || (status !== null && status >= 500 && status !== 501)
}

/** Whether there is no such object (and not: no such bucket). */
export function isAbsent({ code, status }: S3Failure): boolean {
  return code !== 'NoSuchBucket' && code !== 'NoSuchUpload' && status === 404
}

/** Whether a condition of the request (`If-Match`, `If-None-Match`) was not met. */
export function isUnmet({ code, status }: S3Failure): boolean {
  return status === 412 || code === 'PreconditionFailed' || code === 'ConditionalRequestConflict'
}

/** Whether the server knows no such request or header. */
export function isUnknownToServer({ code, status }: S3Failure): boolean {
  return status === 501 || code === 'NotImplemented'
}

/**
 * Says in plain words why a filestore did not do what it was asked for. Nothing there was changed by a request that failed.
 * @param action what was to be done: `read backup.json`
 */
export function filestoreError(error: unknown, where: S3Place, action: string): AppError {
  if (error instanceof AppError) return error
  const failure = failureOf(error)
  const { code, status, text } = failure
  const details = { place: where.place, host: where.host, action, system: code, status }
  const make = (ours: string, message: string, hint: string) => new AppError(ours, message, { hint, details, cause: error })
  if (code === 'RequestTimeTooSkewed' || code === 'RequestExpired') {
    return make(
      'filestore-clock',
      `The filestore ${where.host} refuses requests because the clock of this computer differs from its own by more than 15 minutes. Nothing was changed there.`,
      'Set the clock of this computer (or of the filestore) right, best by NTP, then try again.',
    )
  }
  if (CREDENTIALS.has(code)) {
    const what = code === 'InvalidAccessKeyId' ? `does not know the access key ${where.accessKeyId}` : 'refused the secret key'
    return make(
      'filestore-credentials',
      `The filestore ${where.host} ${what}. Nothing was changed there.`,
      'Check access key and secret key in the site’s settings; a key that was replaced has to be entered again.',
    )
  }
  if (code === 'NoSuchBucket' || code === 'InvalidBucketName') {
    return make(
      'bucket-unknown',
      `The filestore ${where.host} has no bucket named ${where.bucket}.`,
      'Check the bucket’s name, and whether the bucket goes into the path (path style) or into the host’s name.',
    )
  }
  if (REGION.has(code) || status === 301) {
    return make(
      'filestore-region',
      `The bucket ${where.bucket} is not in the region that the settings name.`,
      'Set the region of the bucket in the site’s settings.',
    )
  }
  if (status === 403 || status === 401) {
    return make(
      'filestore-forbidden',
      `The filestore ${where.host} does not let the access key ${where.accessKeyId} ${action}. What is there was left as it is.`,
      'Give the key this right in the bucket’s policy, or use another key.',
    )
  }
  if (code === 'QuotaExceeded' || code === 'InsufficientStorage' || status === 507) {
    return make(
      'disk-full',
      `The filestore ${where.host} has no room left: it did not ${action}. What was there before is unchanged.`,
      'Make room in the bucket or raise its quota, then run it again.',
    )
  }
  if (code === 'EPROTO' || code.startsWith('ERR_SSL')) {
    return make(
      'filestore-certificate',
      `The filestore ${where.host} does not speak TLS as expected (${code}), so nothing was sent to it.`,
      'Check the endpoint’s address: https:// or http://, and the port.',
    )
  }
  if (/^(?:CERT_|ERR_TLS_|UNABLE_TO_|SELF_SIGNED|DEPTH_ZERO)/.test(code)) {
    return make(
      'filestore-certificate',
      `The certificate of the filestore ${where.host} can’t be trusted (${code}), so nothing was sent to it.`,
      'Name the file with the authorities to trust in the site’s settings, or check the endpoint’s address.',
    )
  }
  if (code === 'ENOTFOUND') {
    return make(
      'filestore-unreachable',
      `The name of the filestore ${where.host} is not known here.`,
      'Check the endpoint’s spelling and the network. With the bucket in the host’s name, that name has to exist too.',
    )
  }
  if (status === null && isPassing(failure)) {
    const how =
      code === 'TimeoutError' || code === 'ETIMEDOUT'
        ? 'does not answer'
        : code === 'ECONNREFUSED'
          ? 'takes no connections'
          : 'broke off the connection'
    return make(
      'filestore-unreachable',
      `The filestore ${where.host} ${how} (${code}). It was to ${action}.`,
      'Check the network and whether the filestore is running, then try again: what has arrived is kept.',
    )
  }
  if (isPassing(failure)) {
    return make(
      'filestore-busy',
      `The filestore ${where.host} could not ${action} for now (${code}${status === null ? '' : `, status ${status}`}), also not when asked again.`,
      'Try again later: what has arrived is kept.',
    )
  }
  return make(
    'filestore-error',
    `The filestore ${where.host} did not ${action}: ${code}${status === null ? '' : `, status ${status}`}${text && text !== code ? ` (${text})` : ''}.`,
    'If it happens again, its operator can say why.',
  )
}
