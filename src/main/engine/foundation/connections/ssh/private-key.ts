import { createPrivateKey, type KeyObject } from 'node:crypto'
import { readFile, stat } from 'node:fs/promises'
import ssh2, { type ParsedKey } from 'ssh2'
import { AppError } from '#shared/errors.ts'
import type { Workers } from '../../workers.ts'
import { keyPassphrase, keyUnreadable } from './errors.ts'
import { plainEd25519 } from './plain-key.ts'
import type { OpenKeyRequest } from './tasks.ts'

const MAX_KEY_FILE = 256 * 1024

/**
 * Reads a private key: OpenSSH's format, PEM and PKCS#8, each with a passphrase or without.
 * @throws AppError `key-unreadable`, `key-passphrase`
 */
export async function readPrivateKey(file: string, passphrase: string | undefined, workers: Workers): Promise<ParsedKey> {
  const bytes = await readBounded(file)
  if (/-----BEGIN (ENCRYPTED )?PRIVATE KEY-----/.test(bytes.toString('latin1')))
    return parse(file, fromPkcs8(file, bytes, passphrase))
  const parsed = ssh2.utils.parseKey(bytes)
  if (!(parsed instanceof Error)) return requirePrivate(file, parsed)
  if (!/no passphrase given/.test(parsed.message)) throw keyUnreadable(file, parsed.message)
  if (!passphrase) throw keyPassphrase(file, true)
  // OpenSSH makes trying passphrases slow on purpose
  const request: OpenKeyRequest = { key: bytes.toString('latin1'), passphrase }
  const opened = await workers.run<string | null>('ssh.openKey', request)
  if (opened === null) throw keyPassphrase(file, false)
  return parse(file, opened)
}

function parse(file: string, plain: string): ParsedKey {
  const parsed = ssh2.utils.parseKey(plain)
  if (parsed instanceof Error) throw keyUnreadable(file, parsed.message)
  return requirePrivate(file, parsed)
}

function requirePrivate(file: string, parsed: ParsedKey | ParsedKey[]): ParsedKey {
  const key: ParsedKey | undefined = Array.isArray(parsed) ? parsed[0] : parsed
  if (!key?.isPrivateKey()) throw keyUnreadable(file, 'it holds no private key')
  return key
}

/** ssh2 does not know PKCS#8, Node does. */
function fromPkcs8(file: string, bytes: Buffer, passphrase: string | undefined): string {
  const isProtected = bytes.includes('BEGIN ENCRYPTED')
  if (isProtected && !passphrase) throw keyPassphrase(file, true)
  let key: KeyObject
  try {
    key = createPrivateKey({ key: bytes, format: 'pem', ...(passphrase ? { passphrase } : {}) })
  } catch {
    // the library's own message may be of any kind
    throw isProtected ? keyPassphrase(file, false) : keyUnreadable(file, 'it is damaged, or of an unknown kind')
  }
  if (key.asymmetricKeyType === 'rsa') return key.export({ type: 'pkcs1', format: 'pem' }).toString()
  if (key.asymmetricKeyType === 'ec') return key.export({ type: 'sec1', format: 'pem' }).toString()
  if (key.asymmetricKeyType === 'ed25519') return plainEd25519(key.export({ type: 'pkcs8', format: 'der' }))
  throw keyUnreadable(file, `keys of the kind ${key.asymmetricKeyType ?? 'unknown'} are not for SSH`)
}

async function readBounded(file: string): Promise<Buffer> {
  try {
    const facts = await stat(file)
    if (!facts.isFile()) throw keyUnreadable(file, 'it is no file')
    if (facts.size > MAX_KEY_FILE) throw keyUnreadable(file, 'it is too large for a key')
    return await readFile(file)
  } catch (error) {
    if (error instanceof AppError) throw error
    const { code, message } = error as NodeJS.ErrnoException
    const isForbidden = code === 'EACCES' || code === 'EPERM'
    throw keyUnreadable(file, code === 'ENOENT' ? 'there is no such file' : isForbidden ? 'it may not be read' : message)
  }
}
