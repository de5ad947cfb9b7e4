import { lookup } from 'node:dns/promises'
import { connect as connectTcp, isIP, type LookupFunction, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import ssh2 from 'ssh2'
import { type AppError, cancelledError, throwIfCancelled } from '#shared/errors.ts'
import type { SshSecrets } from '#shared/model/site.ts'
import type { Workers } from '../../workers.ts'
import type { Destination } from './destination.ts'
import { connectionLost, hostUnknown, hostUnreachable, logInRefused, nameOf } from './errors.ts'
import { gatherWrites } from './gather-writes.ts'
import type { HostKeys } from './host-keys.ts'
import { publicHostKey } from './known-hosts-line.ts'
import { logInTo } from './log-in.ts'
import { openChannel } from './open-channel.ts'
import { quickenCipher } from './quick-cipher.ts'
import type { ConnectStep } from './types.ts'

const CONNECT_MS = 15_000
const HANDSHAKE_MS = 25_000
const KEEP_ALIVE_COUNT = 3

/** A living connection to a server, and those to the hosts on the way. */
export interface Link {
  readonly client: ssh2.Client
  /** Set once it is gone. */
  readonly lost: AppError | null
  /** Told when it is gone, before its channels are; at once when it is gone already. */
  onLost(listener: (error: AppError) => void): () => void
  close(): void
}

export interface DialOptions {
  secrets: SshSecrets
  hostKeys: HostKeys
  workers: Workers
  keepAliveMs: number
  signal: AbortSignal
  onStep: (step: ConnectStep) => void
}

/** Connects to the last of these machines through the others, each with its own host key and log-in. */
export async function dial(route: readonly Destination[], options: DialOptions): Promise<Link> {
  const links: Link[] = []
  try {
    for (const [index, to] of route.entries()) {
      const through = links.at(-1)
      const isTarget = index === route.length - 1
      // of the hosts on the way only the findings are of interest, with their names
      const onStep = isTarget
        ? options.onStep
        : (step: ConnectStep) => options.onStep({ ...step, finding: `${to.place}: ${step.finding}` })
      links.push(await dialOne(to, through ?? null, { ...options, onStep }))
    }
  } catch (error) {
    for (const link of links.reverse()) link.close()
    throw error
  }
  const [target, ...others] = links.reverse()
  if (!target) throw hostUnreachable('nowhere', 'no host was named')
  target.onLost(() => {
    for (const link of others) link.close()
  })
  return target
}

async function dialOne(to: Destination, through: Link | null, options: DialOptions): Promise<Link> {
  const { signal, hostKeys, onStep } = options
  const logIn = logInTo(to, options.secrets, options.workers)
  const known = await hostKeys.knowledge(to.hostKey.host, to.hostKey.port, to.hostKey.files)
  throwIfCancelled(signal)
  const timed = stepTimer(onStep)
  const socket = through ? await openThrough(through, to, signal) : await openSocket(to, timed, signal)
  timed('connect', `${through ? 'through the host before' : 'connected'}, port ${to.port}`)

  const client = new ssh2.Client()
  quickenCipher(client)
  let refusal: AppError | null = null
  let lost: AppError | null = null
  let isReady = false
  const listeners = new Set<(error: AppError) => void>()
  const close = () => {
    // at once: who asks for a link before the socket is closed must not get this one
    lost ??= connectionLost(to.place)
    client.end()
    socket.destroy()
  }
  const link: Link = {
    client,
    get lost() {
      return lost
    },
    onLost(listener) {
      if (lost) listener(lost)
      else listeners.add(listener)
      return () => listeners.delete(listener)
    },
    close,
  }

  return new Promise<Link>((resolve, reject) => {
    let cause: Error | undefined
    const abort = () => socket.destroy()
    const fail = (error: unknown) => {
      signal.removeEventListener('abort', abort)
      socket.destroy()
      reject(error)
    }
    signal.addEventListener('abort', abort, { once: true })
    through?.onLost(abort)
    client.on('error', (error: Error & { level?: string }) => {
      // the next way to log in is tried then
      if (error.level === 'agent') return
      cause = error
      if (isReady) return
      if (error.level === 'client-authentication' && !error.message.startsWith('All configured')) return
      fail(dialError(error))
    })
    client.on('close', () => {
      lost ??= connectionLost(to.place, cause)
      for (const listener of listeners) listener(lost)
      listeners.clear()
      fail(dialError(cause))
    })
    client.on('ready', () => {
      isReady = true
      signal.removeEventListener('abort', abort)
      timed('log-in', `as ${to.user}${logIn.tried.length > 0 ? ` by ${logIn.tried.at(-1)}` : ''}`)
      resolve(link)
    })
    client.connect({
      sock: socket,
      host: to.host,
      port: to.port,
      username: to.user,
      readyTimeout: HANDSHAKE_MS,
      keepaliveInterval: options.keepAliveMs,
      keepaliveCountMax: KEEP_ALIVE_COUNT,
      algorithms: { serverHostKey: keyAlgorithms(known.types) },
      agentForward: false,
      authHandler: logIn.handler,
      hostVerifier: (blob: Buffer) => {
        const key = publicHostKey(blob)
        refusal = key ? known.check(key) : hostUnreachable(to.place, 'its host key can’t be read')
        if (key && !refusal) timed('host-key', `${key.type} ${key.fingerprint}`)
        return refusal === null
      },
    })

    function dialError(error: Error | undefined): AppError {
      if (signal.aborted) return cancelledError()
      if (refusal) return refusal
      if (logIn.problem) return logIn.problem
      const level = (error as { level?: string } | undefined)?.level
      const why = error?.message ?? ''
      const isTooMany = /too many authentication failures/i.test(why)
      if (level === 'client-authentication' || isTooMany) {
        return logInRefused(to.place, logIn.tried, isTooMany ? why : logIn.remarks.join('; '), logIn.offered)
      }
      if (level === 'client-timeout') return hostUnreachable(to.place, 'it did not answer in time')
      return hostUnreachable(to.place, error ?? 'it was broken off')
    }
  })
}

/** The types of key that are known come first, so that a server with several keys shows the one that can be compared. */
function keyAlgorithms(known: readonly string[]): ssh2.ServerHostKeyAlgorithm[] {
  const all: ssh2.ServerHostKeyAlgorithm[] = [
    'ssh-ed25519',
    'ecdsa-sha2-nistp256',
    'ecdsa-sha2-nistp384',
    'ecdsa-sha2-nistp521',
    'rsa-sha2-512',
    'rsa-sha2-256',
  ]
  const typeOf = (algorithm: string) => (algorithm.startsWith('rsa-') ? 'ssh-rsa' : algorithm)
  const first = all.filter((algorithm) => known.includes(typeOf(algorithm)))
  return [...first, ...all.filter((algorithm) => !first.includes(algorithm))]
}

type Timed = (name: ConnectStep['name'], finding: string) => void

function stepTimer(onStep: (step: ConnectStep) => void): Timed {
  let since = performance.now()
  return (name, finding) => {
    const now = performance.now()
    onStep({ name, finding, milliseconds: Math.round(now - since) })
    since = now
  }
}

async function openSocket(to: Destination, timed: Timed, signal: AbortSignal): Promise<Socket> {
  const addresses = await addressesOf(to.host)
  throwIfCancelled(signal)
  timed('resolve', addresses.map(({ address }) => address).join(', '))
  const resolved: LookupFunction = (_host, options, done) => {
    const [first] = addresses
    if (options.all) done(null, addresses)
    else done(null, first?.address ?? '', first?.family)
  }
  const socket = connectTcp({ host: to.host, port: to.port, lookup: resolved, noDelay: true, keepAlive: true })
  return new Promise((resolve, reject) => {
    const fail = (error: Error | string) => {
      clearTimeout(timer)
      signal.removeEventListener('abort', abort)
      socket.destroy()
      reject(signal.aborted ? cancelledError() : hostUnreachable(to.place, error))
    }
    const abort = () => fail('cancelled')
    const timer = setTimeout(() => fail('no answer came in time'), CONNECT_MS)
    signal.addEventListener('abort', abort, { once: true })
    socket.once('error', fail)
    socket.once('connect', () => {
      clearTimeout(timer)
      signal.removeEventListener('abort', abort)
      socket.off('error', fail)
      gatherWrites(socket)
      resolve(socket)
    })
  })
}

async function addressesOf(host: string): Promise<{ address: string; family: number }[]> {
  if (isIP(host)) return [{ address: host, family: isIP(host) }]
  try {
    return await lookup(host, { all: true })
  } catch (error) {
    throw hostUnknown(host, (error as NodeJS.ErrnoException).code)
  }
}

function openThrough(jump: Link, to: Destination, signal: AbortSignal): Promise<Duplex> {
  const unreachable = (why: string) => hostUnreachable(to.place, `the host before it could not reach ${nameOf(to)} (${why})`)
  return openChannel<ssh2.ClientChannel>(jump, to.place, {
    ask: (done) => void jump.client.forwardOut('127.0.0.1', 0, to.host, to.port, done),
    refused: ({ message }) => unreachable(message),
    discard: (channel) => channel.close(),
    signal,
    limit: { milliseconds: CONNECT_MS, error: () => unreachable('no answer came in time') },
  })
}
