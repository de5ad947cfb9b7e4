import { createCipheriv, createDecipheriv, randomBytes, scrypt } from 'node:crypto'
import { z } from 'zod'
import { AppError } from '#shared/errors.ts'

/** AES-256-GCM: nonce, tag and content, base64. */
export const sealedSchema = z.object({ iv: z.base64(), tag: z.base64(), data: z.base64() })

/** 32 MiB of memory and three rounds: about 0.3 s a guess, and far below the memory bound of the engine. */
const SCRYPT = { N: 32_768, r: 8, p: 3, maxmem: 64 * 1024 * 1024 }

export const passphraseWrapSchema = z.object({
  kdf: z.literal('scrypt'),
  N: z.int().min(1024).max(262_144),
  r: z.int().min(1).max(32),
  p: z.int().min(1).max(16),
  salt: z.base64(),
  key: sealedSchema,
})

/** `secrets.json`, version 1 (docs/formats.md, "Secret store"). */
export const secretFileSchema = z.object({
  version: z.literal(1),
  passphrase: passphraseWrapSchema.nullable(),
  /** The master key as the system's keyring wrapped it, base64. */
  keyring: z.base64().nullable(),
  entries: z.record(z.string(), sealedSchema),
})

export type Sealed = z.infer<typeof sealedSchema>
export type PassphraseWrap = z.infer<typeof passphraseWrapSchema>
export type SecretFile = z.infer<typeof secretFileSchema>

/** @param name is authenticated too, so that entries can't be exchanged */
export function seal(key: Buffer, name: string, plain: Buffer): Sealed {
  const iv = randomBytes(12)
  const cipher = createCipheriv('aes-256-gcm', key, iv).setAAD(Buffer.from(name))
  const data = Buffer.concat([cipher.update(plain), cipher.final()])
  return { iv: iv.toString('base64'), tag: cipher.getAuthTag().toString('base64'), data: data.toString('base64') }
}

/** @returns null when the key does not fit or the entry was changed */
export function unseal(key: Buffer, name: string, sealed: Sealed): Buffer | null {
  try {
    const tag = Buffer.from(sealed.tag, 'base64')
    const decipher = createDecipheriv('aes-256-gcm', key, Buffer.from(sealed.iv, 'base64'), { authTagLength: 16 }).setAAD(
      Buffer.from(name),
    )
    decipher.setAuthTag(tag)
    return Buffer.concat([decipher.update(Buffer.from(sealed.data, 'base64')), decipher.final()])
  } catch {
    return null
  }
}

function deriveKey(passphrase: string, salt: Buffer, cost: { N: number; r: number; p: number }): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    const options = { N: cost.N, r: cost.r, p: cost.p, maxmem: 128 * cost.N * cost.r + SCRYPT.maxmem }
    scrypt(passphrase.normalize('NFC'), salt, 32, options, (error, key) => (error ? reject(error) : resolve(key)))
  })
}

/** Wraps the master key with a passphrase. */
export async function wrapKey(master: Buffer, passphrase: string): Promise<PassphraseWrap> {
  const salt = randomBytes(16)
  const key = seal(await deriveKey(passphrase, salt, SCRYPT), 'master', master)
  return { kdf: 'scrypt', N: SCRYPT.N, r: SCRYPT.r, p: SCRYPT.p, salt: salt.toString('base64'), key }
}

/** @throws AppError `wrong-passphrase` */
export async function unwrapKey(wrap: PassphraseWrap, passphrase: string): Promise<Buffer> {
  const key = unseal(await deriveKey(passphrase, Buffer.from(wrap.salt, 'base64'), wrap), 'master', wrap.key)
  if (key) return key
  throw new AppError('wrong-passphrase', 'The passphrase does not open the store of passwords. Nothing was changed.', {
    hint: 'Try again; mind the keyboard layout and Caps Lock.',
  })
}
