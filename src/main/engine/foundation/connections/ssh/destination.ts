import { homedir, userInfo } from 'node:os'
import { isAbsolute, join } from 'node:path'
import { AppError } from '#shared/errors.ts'
import type { SshSettings } from '#shared/model/site.ts'
import { type ConfigSection, valuesFor } from './config-file.ts'
import { nameOf } from './errors.ts'

const USUAL_KEYS = ['id_ed25519', 'id_ecdsa', 'id_rsa']
const MAX_JUMPS = 8

/** The surroundings of the operator: where `~/.ssh` is, and the variables that ssh looks at. */
export interface Surroundings {
  userHome: string
  env: NodeJS.ProcessEnv
}

export function ownSurroundings(): Surroundings {
  return { userHome: homedir(), env: process.env }
}

/** One machine to connect to, everything settled: the operator's settings first, then `~/.ssh/config`, then the defaults. */
export interface Destination {
  host: string
  port: number
  user: string
  /** `deploy@web1.example.org:2222`, for people. */
  place: string
  /** Under which name and port its host key is kept. */
  hostKey: { host: string; port: number; files: string[] }
  auth: SshSettings['auth']
  /** A key file that was asked for by name: it must be usable. */
  keyFile: string | null
  /** Others, used when they are there. */
  identityFiles: string[]
  /** Of the agent's keys, only those that stand among the files. */
  isIdentitiesOnly: boolean
  /** The agent's socket or pipe; null: none. */
  agent: string | null
}

/** The machines on the way, the nearest first; the last one is the server itself. */
export function resolveRoute(settings: SshSettings, config: readonly ConfigSection[], around: Surroundings): Destination[] {
  const target = resolveOne(settings, config, around)
  const route = [...jumpsOf(settings.host, settings.jumps, target, settings, config, around, 0), target]
  if (route.length > MAX_JUMPS) throw tooManyJumps(settings.host)
  return route
}

function jumpsOf(
  alias: string,
  explicit: readonly string[] | undefined,
  target: Destination,
  settings: SshSettings,
  config: readonly ConfigSection[],
  around: Surroundings,
  depth: number,
): Destination[] {
  if (depth > MAX_JUMPS) throw tooManyJumps(alias)
  const names = explicit ?? configuredJumps(alias, target, config)
  return names.flatMap((name, index) => {
    const jump = parseJump(name)
    // a key file that was named is tried there too; with no method asked for, whatever fits lets one pass
    const wanted = { ...jump, auth: 'auto' as const, ...(settings.keyFile ? { keyFile: settings.keyFile } : {}) }
    const place = resolveOne(wanted, config, around)
    // only the first one is reached from here, perhaps through others
    const before = index === 0 ? jumpsOf(jump.host, undefined, place, settings, config, around, depth + 1) : []
    return [...before, place]
  })
}

function configuredJumps(alias: string, target: Destination, config: readonly ConfigSection[]): string[] {
  const value = (key: string) => valuesFor(config, alias, key)[0]
  const jump = value('proxyjump')
  if (jump !== undefined) return jump.toLowerCase() === 'none' ? [] : jump.split(',').map((name) => name.trim())
  const command = value('proxycommand')
  if (command === undefined || command.toLowerCase() === 'none') return []
  // the way to jump before there was ProxyJump
  const found = /^(?:\S*\/)?ssh\s+(?:(\S+)\s+-W\s+\[?%h\]?:%p|-W\s+\[?%h\]?:%p\s+(\S+))$/.exec(command)
  const name = found?.[1] ?? found?.[2]
  if (name !== undefined && !name.startsWith('-')) return [name]
  throw new AppError('proxy-command', `~/.ssh/config reaches ${target.place} by a ProxyCommand, which is not run from here.`, {
    hint: 'Name the jump hosts in the settings, or use ProxyJump in ~/.ssh/config.',
    details: { host: alias },
  })
}

/** `[USER@]HOST[:PORT]` */
function parseJump(name: string): { host: string; port?: number; user?: string } {
  const found = /^(?:ssh:\/\/)?(?:([^\s@]+)@)?(?:\[([0-9a-fA-F:.]+)\]|([^\s@:[\]]+))(?::(\d{1,5}))?$/.exec(name)
  const host = found?.[2] ?? found?.[3]
  const port = found?.[4] === undefined ? undefined : Number(found[4])
  if (!found || host === undefined || (port !== undefined && (port < 1 || port > 65_535))) {
    throw new AppError('bad-jump-host', `"${name.slice(0, 100)}" is no jump host. Nothing was connected.`, {
      hint: 'Write it as [USER@]HOST[:PORT].',
    })
  }
  return { host, ...(port === undefined ? {} : { port }), ...(found[1] === undefined ? {} : { user: found[1] }) }
}

type Wanted = Pick<SshSettings, 'host' | 'port' | 'user' | 'auth' | 'keyFile'>

function resolveOne(settings: Wanted, config: readonly ConfigSection[], around: Surroundings): Destination {
  const alias = settings.host
  const values = (key: string) => valuesFor(config, alias, key)
  const first = (key: string) => values(key)[0]
  const host = (first('hostname') ?? alias).replaceAll(/%([%h])/g, (_all, token) => (token === 'h' ? alias : '%'))
  const port = settings.port ?? portOf(first('port')) ?? 22
  const user = settings.user ?? first('user') ?? userInfo().username
  const expand = (path: string) => expandPath(path, { alias, host, port, user }, around)
  const keyAlias = first('hostkeyalias')
  const knownHosts = first('userknownhostsfile')?.split(/\s+/) ?? ['~/.ssh/known_hosts', '~/.ssh/known_hosts2']
  const identities = values('identityfile').filter((file) => file.toLowerCase() !== 'none')
  const wanted = identities.length > 0 ? identities : USUAL_KEYS.map((name) => `~/.ssh/${name}`)
  return {
    host,
    port,
    user,
    place: `${user}@${nameOf({ host, port })}`,
    hostKey: {
      ...(keyAlias === undefined ? { host, port } : { host: keyAlias, port: 22 }),
      files: knownHosts.filter((file) => file.toLowerCase() !== 'none' && file !== '/dev/null').map(expand),
    },
    auth: settings.auth,
    keyFile: settings.keyFile ?? null,
    identityFiles: [...new Set(wanted.map(expand))],
    isIdentitiesOnly: first('identitiesonly')?.toLowerCase() === 'yes',
    agent: agentOf(first('identityagent'), expand, around.env),
  }
}

function portOf(text: string | undefined): number | undefined {
  const port = Number(text)
  return Number.isInteger(port) && port > 0 && port < 65_536 ? port : undefined
}

function agentOf(setting: string | undefined, expand: (path: string) => string, env: NodeJS.ProcessEnv): string | null {
  if (setting?.toLowerCase() === 'none') return null
  if (setting !== undefined && setting !== 'SSH_AUTH_SOCK') {
    const variable = /^\$(\w+)$/.exec(setting)?.[1]
    return variable === undefined ? expand(setting) : (env[variable] ?? null)
  }
  if (env.SSH_AUTH_SOCK) return env.SSH_AUTH_SOCK
  return process.platform === 'win32' ? '\\\\.\\pipe\\openssh-ssh-agent' : null
}

/** `~`, `${VARIABLE}` and the tokens of ssh_config(5). A relative path is below the operator's home folder. */
function expandPath(
  path: string,
  { alias, host, port, user }: { alias: string; host: string; port: number; user: string },
  { userHome, env }: Surroundings,
): string {
  const tokens: Record<string, string> = {
    '%': '%',
    d: userHome,
    h: host,
    n: alias,
    p: String(port),
    r: user,
    u: userInfo().username,
  }
  const full = path
    .replace(/^~(?=[/\\]|$)/, () => userHome)
    .replaceAll(/\$\{(\w+)\}/g, (_all, name: string) => env[name] ?? '')
    .replaceAll(/%(.)/g, (all, token: string) => tokens[token] ?? all)
  return isAbsolute(full) ? full : join(userHome, full)
}

function tooManyJumps(host: string): AppError {
  return new AppError('too-many-jumps', `The way to ${host} has more than ${MAX_JUMPS} hosts, or goes in a circle.`, {
    hint: 'Check ProxyJump in ~/.ssh/config.',
  })
}
