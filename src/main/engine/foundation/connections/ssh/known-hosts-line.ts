import { createHash, createHmac, timingSafeEqual } from 'node:crypto'

/** A public host key as the server shows it. */
export interface PublicHostKey {
  /** `ssh-ed25519` */
  type: string
  blob: Buffer
  /** `SHA256:…`, as ssh-keygen prints it. */
  fingerprint: string
}

/** One line of a known_hosts file that says something about a key. */
export interface KnownHostsLine {
  isRevoked: boolean
  /** Names, patterns, or one hashed name, as they stand there. */
  names: string
  key: PublicHostKey
}

/** Reads a key from its binary form; null: it is none. */
export function publicHostKey(blob: Buffer): PublicHostKey | null {
  if (blob.length < 8) return null
  const length = blob.readUInt32BE(0)
  if (length === 0 || length > 64 || blob.length < 4 + length) return null
  const fingerprint = `SHA256:${createHash('sha256').update(blob).digest('base64').replace(/=+$/, '')}`
  return { type: blob.toString('latin1', 4, 4 + length), blob, fingerprint }
}

/** The lines that can be used. Certificate authorities and what can't be read are passed over, as OpenSSH does. */
export function parseKnownHosts(text: string): KnownHostsLine[] {
  return text.split('\n').flatMap((line) => parseLine(line) ?? [])
}

function parseLine(line: string): KnownHostsLine | null {
  const words = line.trim().split(/[ \t]+/)
  if (words[0] === undefined || words[0] === '' || words[0].startsWith('#')) return null
  const marker = words[0].startsWith('@') ? words.shift() : undefined
  if (marker !== undefined && marker !== '@revoked') return null
  const [names, type, encoded] = words
  if (names === undefined || type === undefined || encoded === undefined) return null
  const key = publicHostKey(Buffer.from(encoded, 'base64'))
  return key && key.type === type ? { isRevoked: marker !== undefined, names, key } : null
}

/** What a host is called in known_hosts: `[HOST]:PORT` unless the port is 22. */
export function knownHostsName(host: string, port: number): string {
  return port === 22 ? host : `[${host}]:${port}`
}

/** Whether a line is about a host. @param name as {@link knownHostsName} gives it */
export function isAbout({ names }: KnownHostsLine, name: string): boolean {
  const wanted = name.toLowerCase()
  if (names.startsWith('|')) return isHashOf(names, wanted)
  let isFound = false
  for (const pattern of names.toLowerCase().split(',')) {
    // one that is excluded is so whatever else stands there
    if (pattern.startsWith('!') && matchesPattern(wanted, pattern.slice(1))) return false
    if (!pattern.startsWith('!') && matchesPattern(wanted, pattern)) isFound = true
  }
  return isFound
}

function isHashOf(hashed: string, name: string): boolean {
  const [, kind, salt, hash] = hashed.split('|')
  if (kind !== '1' || salt === undefined || hash === undefined) return false
  const expected = Buffer.from(hash, 'base64')
  const actual = createHmac('sha1', Buffer.from(salt, 'base64')).update(name).digest()
  return expected.length === actual.length && timingSafeEqual(expected, actual)
}

/** OpenSSH's patterns: `*` any number of characters, `?` one. No backtracking: a hostile pattern costs no time. */
export function matchesPattern(text: string, pattern: string): boolean {
  let at = 0
  let inPattern = 0
  let star = -1
  let afterStar = 0
  while (at < text.length) {
    if (pattern[inPattern] === '*') {
      star = inPattern++
      afterStar = at
    } else if (inPattern < pattern.length && (pattern[inPattern] === '?' || pattern[inPattern] === text[at])) {
      inPattern++
      at++
    } else if (star >= 0) {
      inPattern = star + 1
      at = ++afterStar
    } else {
      return false
    }
  }
  while (pattern[inPattern] === '*') inPattern++
  return inPattern === pattern.length
}
