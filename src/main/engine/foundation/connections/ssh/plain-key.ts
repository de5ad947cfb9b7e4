import { createPublicKey } from 'node:crypto'

const SEED_BYTES = 32

/**
 * An Ed25519 key in OpenSSH's own format, without protection: the one form of it that ssh2 reads.
 * @param pkcs8 DER; the seed is its last 32 bytes (RFC 8410, section 7)
 */
export function plainEd25519(pkcs8: Buffer): string {
  const seed = pkcs8.subarray(-SEED_BYTES)
  const spki = createPublicKey({ key: pkcs8, format: 'der', type: 'pkcs8' } as never).export({ type: 'spki', format: 'der' })
  const point = spki.subarray(-SEED_BYTES)
  const type = text('ssh-ed25519')
  const check = Buffer.alloc(8)
  const secret = Buffer.concat([check, type, text(point), text(Buffer.concat([seed, point])), text('')])
  const padding = Buffer.from([1, 2, 3, 4, 5, 6, 7]).subarray(0, (8 - (secret.length % 8)) % 8)
  const count = Buffer.from([0, 0, 0, 1])
  const whole = Buffer.concat([
    Buffer.from('openssh-key-v1\0', 'latin1'),
    text('none'),
    text('none'),
    text(''),
    count,
    text(Buffer.concat([type, text(point)])),
    text(Buffer.concat([secret, padding])),
  ])
  const lines = whole.toString('base64').match(/.{1,70}/g) ?? []
  return ['-----BEGIN OPENSSH PRIVATE KEY-----', ...lines, '-----END OPENSSH PRIVATE KEY-----', ''].join('\n')
}

/** A string as SSH has it: its length before it. */
function text(content: string | Buffer): Buffer {
  const bytes = Buffer.from(content as string, 'latin1')
  const length = Buffer.alloc(4)
  length.writeUInt32BE(bytes.length)
  return Buffer.concat([length, bytes])
}
