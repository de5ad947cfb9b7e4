import { describe, expect, it } from 'vitest'
import { changedKeyIn, hostKeyFileWord } from '#renderer/lib/host-keys.ts'

const OLD = 'SHA256:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA'
const NEW = 'SHA256:BBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBBB'
const accepted = [{ host: 'web1', port: 22, type: 'ssh-ed25519', fingerprint: OLD }]

describe('a refusal for a changed host key', () => {
  it('names the accepted key and the one that was shown', () => {
    expect(changedKeyIn(`web1 showed ${NEW}, but the key known for it is ssh-ed25519 ${OLD}.`, accepted)).toEqual({
      known: accepted[0],
      shown: NEW,
    })
  })

  it('is none when the known key was not accepted here, or there is only one', () => {
    expect(changedKeyIn(`web1 showed ${NEW}, but the key known for it is ${OLD}.`, [])).toBeNull()
    expect(changedKeyIn(`web1 showed ${OLD}.`, accepted)).toBeNull()
  })

  it('knows the file of a key on the server', () => {
    expect(['ssh-ed25519', 'ecdsa-sha2-nistp256', 'rsa-sha2-512', 'ssh-rsa'].map(hostKeyFileWord)).toEqual([
      'ed25519',
      'ecdsa',
      'rsa',
      'rsa',
    ])
  })
})
