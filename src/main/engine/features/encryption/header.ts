import { createHmac, pbkdf2, randomBytes, randomInt, timingSafeEqual } from 'node:crypto'
import { promisify } from 'node:util'
import { AppError } from '#shared/errors.ts'
import { orAborted } from './abort.ts'
import { decryptCfb8 } from './cfb8.ts'
import { encryptCfb8InPlace } from './cfb8-encryptor.ts'

/** Bytes before the encrypted content. Layout: docs/formats.md, "Encrypted files". */
export const ENC_HEADER_BYTES = 54

const PREFIX = Buffer.from('Z1')
const SALT_AT = 6
const CHECK_AT = 22
/** A server refuses files that ask for this many rounds or more: deriving one key would take minutes. */
const ITERATIONS_LIMIT = 20_000_000
const ITERATIONS_BASE = 600_000
const IV_BYTES = 16
const KEY_BYTES = 32

const deriveBits = promisify(pbkdf2)

/** The clear part of an encrypted file, and its encrypted password check. */
export interface EncHeader {
  /** PBKDF2 rounds, 1 to 19,999,999. */
  readonly iterations: number
  readonly salt: Buffer
  /** 32 bytes of ciphertext; the last 16 start the cipher of the content. */
  readonly check: Buffer
}

/** What a password became: the key of one file. Never logged, never stored. */
export interface EncKey {
  readonly key: Buffer
  readonly iv: Buffer
}

/**
 * Reads the first bytes of a file, which may be fewer than {@link ENC_HEADER_BYTES} when the file is short.
 * @throws AppError `not-a-backup` (another prefix, a cut header, impossible rounds), `ends-too-early` (cut in
 * the password check)
 */
export function readEncHeader(bytes: Buffer): EncHeader {
  const start = bytes.subarray(0, PREFIX.length)
  if (!start.equals(PREFIX)) {
    const found = start.length === 0 ? 'it is empty' : `it starts with ${hex(start)}, not with Z1`
    throw notABackup(found, { start: start.toString('hex') })
  }
  if (bytes.length < CHECK_AT) throw notABackup('it ends inside its header', { size: bytes.length })
  const iterations = bytes.readUInt32LE(PREFIX.length)
  if (iterations === 0 || iterations >= ITERATIONS_LIMIT) {
    throw notABackup(`its header asks for ${iterations.toLocaleString('en-US')} rounds of key derivation`, { iterations })
  }
  if (bytes.length < ENC_HEADER_BYTES) {
    throw new AppError(
      'ends-too-early',
      `The file ends too early: after ${bytes.length} of its first ${ENC_HEADER_BYTES} bytes.`,
      {
        hint: 'It was cut off when it was copied or written. Fetch it again.',
        details: { size: bytes.length },
      },
    )
  }
  return {
    iterations,
    salt: Buffer.from(bytes.subarray(SALT_AT, CHECK_AT)),
    check: Buffer.from(bytes.subarray(CHECK_AT, ENC_HEADER_BYTES)),
  }
}

function notABackup(found: string, details: Record<string, unknown>): AppError {
  return new AppError('not-a-backup', `Not a Zotonic backup: ${found}. Left alone.`, {
    hint: 'Choose a file that a Zotonic server or this program encrypted; its name ends in .enc.',
    details,
  })
}

function hex(bytes: Buffer): string {
  return [...bytes].map((byte) => byte.toString(16).toUpperCase().padStart(2, '0')).join(' ')
}

/**
 * Tries passwords in order. Each costs a key derivation (0.2 to 0.5 s for what servers write), off the
 * event loop. Resolves with the key and the position of the password that fits, or null when none does.
 * @throws AppError `cancelled` as soon as `signal` aborts
 */
export async function unlockEnc(
  header: EncHeader,
  passwords: readonly string[],
  signal?: AbortSignal,
): Promise<{ key: EncKey; index: number } | null> {
  for (const [index, password] of passwords.entries()) {
    const key = await orAborted(deriveKey(password, header.salt, header.iterations), signal)
    const found = decryptCfb8(key.key, key.iv, header.check)
    if (timingSafeEqual(found, passwordCheck(password, header.salt))) return { key, index }
  }
  return null
}

/** Makes the 54 bytes of a new file, and its key: random salt, 600,001 to 665,535 rounds. */
export async function createEncHeader(password: string): Promise<{ header: Buffer; key: EncKey }> {
  const salt = randomBytes(CHECK_AT - SALT_AT)
  const iterations = ITERATIONS_BASE + randomInt(1, 65_536)
  const key = await deriveKey(password, salt, iterations)
  const rounds = Buffer.alloc(SALT_AT - PREFIX.length)
  rounds.writeUInt32LE(iterations)
  const check = passwordCheck(password, salt)
  encryptCfb8InPlace(key.key, key.iv, check)
  return { header: Buffer.concat([PREFIX, rounds, salt, check]), key }
}

async function deriveKey(password: string, salt: Buffer, iterations: number): Promise<EncKey> {
  const bits = await deriveBits(Buffer.from(password, 'utf8'), salt, iterations, IV_BYTES + KEY_BYTES, 'sha256')
  return { iv: bits.subarray(0, IV_BYTES), key: bits.subarray(IV_BYTES) }
}

function passwordCheck(password: string, salt: Buffer): Buffer {
  const secret = Buffer.from(password, 'utf8')
  return createHmac('sha256', secret).update(salt).update(secret).digest()
}
