import { readFile, stat } from 'node:fs/promises'
import type { HostKey } from '#shared/contract/servers.ts'
import { AppError } from '#shared/errors.ts'
import { writeFileAtomic } from '../../files/atomic.ts'
import type { Locks } from '../../locks.ts'
import { hostKeyChanged, hostKeyRevoked, hostKeyUnknown, nameOf } from './errors.ts'
import { isAbout, type KnownHostsLine, knownHostsName, type PublicHostKey, parseKnownHosts } from './known-hosts-line.ts'

const MAX_FILE = 8 * 1024 * 1024
const SEEN_MS = 60 * 60 * 1000
const MAX_SEEN = 1000

/** What is known about one host, read from all files before its server is spoken to. */
export interface HostKnowledge {
  /** The types of its known keys: the server is asked for these first. */
  readonly types: readonly string[]
  /** Null when the key is known. An unknown one is remembered for {@link HostKeys.accept}. */
  check(key: PublicHostKey): AppError | null
}

/** Which keys SSH servers must show: our own file, and those of the operator's `~/.ssh`. */
export interface HostKeys {
  /** @param files known_hosts files beside our own */
  knowledge(host: string, port: number, files: readonly string[]): Promise<HostKnowledge>
  list(): Promise<HostKey[]>
  accept(key: Pick<HostKey, 'host' | 'port' | 'fingerprint'>): Promise<HostKey>
  forget(host: string, port: number): Promise<boolean>
}

interface KnownLine extends KnownHostsLine {
  file: string
}

/** @param ownFile `known_hosts` of the home folder, in OpenSSH's format */
export function openHostKeys(ownFile: string, locks: Locks): HostKeys {
  const seen = new Map<string, { key: PublicHostKey; at: number; files: readonly string[] }>()

  async function linesOf(files: readonly string[]): Promise<KnownLine[]> {
    const lines: KnownLine[] = []
    for (const file of files) {
      for (const line of parseKnownHosts(await readBounded(file))) lines.push({ ...line, file })
    }
    return lines
  }

  function remember(host: string, port: number, key: PublicHostKey, files: readonly string[]): void {
    const name = knownHostsName(host, port)
    seen.delete(name)
    seen.set(name, { key, at: Date.now(), files })
    const oldest = seen.keys().next().value
    if (seen.size > MAX_SEEN && oldest !== undefined) seen.delete(oldest)
  }

  async function knowledge(host: string, port: number, files: readonly string[]): Promise<HostKnowledge> {
    const name = knownHostsName(host, port)
    const about = (await linesOf([ownFile, ...files])).filter((line) => isAbout(line, name))
    const known = about.filter(({ isRevoked }) => !isRevoked)
    return {
      types: [...new Set(known.map(({ key }) => key.type))],
      check(key) {
        const shown = { host, port, type: key.type, fingerprint: key.fingerprint }
        const revoked = about.find((line) => line.isRevoked && line.key.blob.equals(key.blob))
        if (revoked) return hostKeyRevoked(shown, revoked.file)
        if (known.some((line) => line.key.blob.equals(key.blob))) return null
        const other = known[0]
        if (other) {
          const keys = known.map(({ key: { type, fingerprint } }) => ({ type, fingerprint }))
          return hostKeyChanged(shown, keys, other.file)
        }
        remember(host, port, key, files)
        return hostKeyUnknown(shown)
      },
    }
  }

  /** Window and terminal may change the file at the same time. */
  async function change(alter: (text: string) => string): Promise<void> {
    const lock = await locks.acquire('known-hosts')
    try {
      await writeFileAtomic(ownFile, alter(await readBounded(ownFile)))
    } finally {
      await lock.release()
    }
  }

  return {
    knowledge,
    async list() {
      const lines = parseKnownHosts(await readBounded(ownFile)).filter(({ isRevoked }) => !isRevoked)
      return lines.map(({ names, key }) => ({ ...placeOf(names), type: key.type, fingerprint: key.fingerprint }))
    },
    async accept({ host, port, fingerprint }) {
      const name = knownHostsName(host, port)
      const shown = seen.get(name)
      if (!shown || Date.now() - shown.at > SEEN_MS || shown.key.fingerprint !== fingerprint) {
        throw new AppError(
          'host-key-not-seen',
          `The SSH server ${nameOf({ host, port })} did not show the key ${fingerprint.slice(0, 100)} within the last hour. Nothing was accepted.`,
          { hint: 'Test the connection, and compare the fingerprint that the server shows then.', details: { host, port } },
        )
      }
      const { key } = shown
      const problem = (await knowledge(host, port, shown.files)).check(key)
      if (problem && problem.code !== 'host-key-unknown') throw problem
      if (problem) {
        const line = `${name} ${key.type} ${key.blob.toString('base64')}\n`
        await change((text) => (text === '' || text.endsWith('\n') ? text + line : `${text}\n${line}`))
      }
      seen.delete(name)
      return { host, port, type: key.type, fingerprint: key.fingerprint }
    },
    async forget(host, port) {
      const name = knownHostsName(host, port)
      let isForgotten = false
      await change((text) => {
        const kept = text.split('\n').filter((line) => {
          const isOurs = parseKnownHosts(line).some((parsed) => !parsed.isRevoked && isAbout(parsed, name))
          isForgotten ||= isOurs
          return !isOurs
        })
        return kept.join('\n')
      })
      seen.delete(name)
      return isForgotten
    },
  }
}

function placeOf(names: string): { host: string; port: number } {
  const first = names.split(',')[0] ?? ''
  const [, host, port] = /^\[(.+)\]:(\d+)$/.exec(first) ?? []
  return host !== undefined ? { host, port: Number(port) } : { host: first, port: 22 }
}

/** Empty when there is no such file. One that is there and can't be read is told: keys in it may be revoked. */
async function readBounded(file: string): Promise<string> {
  try {
    const facts = await stat(file)
    if (facts.size > MAX_FILE) {
      throw new AppError('known-hosts-too-large', `${file} is larger than a file of known hosts may be. Nothing was sent.`, {
        hint: 'Move it away, or remove what is not needed from it.',
      })
    }
    return await readFile(file, 'utf8')
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return ''
    throw error
  }
}
