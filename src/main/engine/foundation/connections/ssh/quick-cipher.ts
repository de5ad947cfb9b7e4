import { createCipheriv, createSecretKey, type KeyObject, randomFillSync } from 'node:crypto'
import type { Client } from 'ssh2'

const LENGTH_BYTES = 4
const TAG_BYTES = 16
const BLOCK_BYTES = 16
const LEAST_PADDING = 4
/** A channel's packet has 32 KiB of data. */
const SCRATCH_BYTES = 36 * 1024
const RANDOM_BYTES = 4096
/** The invocation counter of the nonce. Source: RFC 5647, section 7.1. */
const COUNTER_AT = 4

/** What ssh2 asks of a cipher of its own. */
interface PacketCipher {
  outSeqno: number
  allocPacket(payloadBytes: number): Buffer
  encrypt(packet: Buffer): void
  free(): void
}

/** ssh2's cipher for AES-GCM, as far as it matters here. */
interface GcmCipher extends PacketCipher {
  _encSSLName: 'aes-128-gcm' | 'aes-256-gcm'
  _encKey: Buffer
  _encIV: Buffer
  _onWrite(bytes: Buffer): void
}

interface Protocol {
  _cipher?: PacketCipher | GcmCipher
  _decipher?: { _decipherKey?: Buffer | KeyObject }
}

/**
 * Takes a third of the work off what ssh2 does for each packet of AES-GCM: it hands Node the key as bytes, and Node 24 takes
 * 40 µs to find out that these are no key object; it allocates each packet before it is encrypted, and has its few bytes of
 * padding made one packet at a time. A cipher or a version of ssh2 that looks different is left as it is.
 */
export function quickenCipher(client: Client): void {
  // after each exchange of keys
  client.on('handshake', () => {
    const { _protocol: protocol } = client as { _protocol?: Protocol }
    const { _cipher: cipher, _decipher: decipher } = protocol ?? {}
    if (decipher && Buffer.isBuffer(decipher._decipherKey) && decipher._decipherKey.length > 0) {
      decipher._decipherKey = createSecretKey(decipher._decipherKey)
    }
    if (protocol && cipher && isGcm(cipher)) protocol._cipher = quickGcm(cipher)
  })
}

function isGcm(cipher: PacketCipher | GcmCipher): cipher is GcmCipher {
  const { _encSSLName, _encKey, _encIV, _onWrite, outSeqno } = cipher as Partial<GcmCipher>
  return (
    (_encSSLName === 'aes-128-gcm' || _encSSLName === 'aes-256-gcm') &&
    Buffer.isBuffer(_encKey) &&
    Buffer.isBuffer(_encIV) &&
    typeof _onWrite === 'function' &&
    typeof outSeqno === 'number'
  )
}

/** Source: RFC 5647, section 7; RFC 4253, section 6. */
function quickGcm({ _encSSLName: name, _encKey, _encIV: nonce, _onWrite: send, outSeqno }: GcmCipher): PacketCipher {
  const key = createSecretKey(_encKey)
  const scratch = Buffer.allocUnsafeSlow(SCRATCH_BYTES)
  const random = Buffer.allocUnsafeSlow(RANDOM_BYTES)
  let randomAt = random.length

  function pad(packet: Buffer, length: number): void {
    if (randomAt + length > random.length) {
      randomFillSync(random)
      randomAt = 0
    }
    random.copy(packet, packet.length - length, randomAt, randomAt + length)
    randomAt += length
  }

  return {
    outSeqno,
    allocPacket(payloadBytes) {
      const unpadded = 1 + payloadBytes
      let padding = BLOCK_BYTES - (unpadded % BLOCK_BYTES)
      if (padding < LEAST_PADDING) padding += BLOCK_BYTES
      const bytes = LENGTH_BYTES + unpadded + padding
      // ssh2 has it encrypted before it asks for the next one; what waits for new keys is allocated elsewhere
      const packet = bytes <= scratch.length ? scratch.subarray(0, bytes) : Buffer.allocUnsafe(bytes)
      packet.writeUInt32BE(bytes - LENGTH_BYTES)
      packet[LENGTH_BYTES] = padding
      pad(packet, padding)
      return packet
    },
    encrypt(packet) {
      const cipher = createCipheriv(name, key, nonce, { authTagLength: TAG_BYTES })
      const length = Buffer.from(packet.subarray(0, LENGTH_BYTES))
      cipher.setAAD(length)
      const encrypted = cipher.update(packet.subarray(LENGTH_BYTES))
      cipher.final()
      send(length)
      send(encrypted)
      send(cipher.getAuthTag())
      for (let at = nonce.length - 1; at >= COUNTER_AT; at -= 1) {
        nonce[at] = ((nonce[at] ?? 0) + 1) & 0xff
        if (nonce[at] !== 0) break
      }
      this.outSeqno = (this.outSeqno + 1) >>> 0
    },
    free() {},
  }
}
