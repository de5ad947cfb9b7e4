import { type ChildProcess, execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises'
import { connect } from 'node:net'
import { tmpdir, userInfo } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { promisify } from 'node:util'
import { freePort } from './postgres.ts'

const run = promisify(execFile)
const SSHD = '/usr/sbin/sshd'

/** Debian's OpenSSH server on 127.0.0.1, with keys and settings of its own; everything it lets in is the user of the test. */
export interface Sshd {
  readonly host: '127.0.0.1'
  readonly port: number
  /** Who logs in with `keyFile`. */
  readonly user: string
  /** A private key (ed25519, OpenSSH format) that it accepts. */
  readonly keyFile: string
  /** A temporary folder, readable by all: for key files and content; removed by `stop`. */
  readonly folder: string
  /** Who logs in with a password; null unless asked for. */
  readonly passwordUser: { name: string; password: string } | null
  /** Accepts a public key too, a line as in `id_ed25519.pub`. */
  authorize(publicKey: string): Promise<void>
  /** The line of its host key for a known_hosts file. */
  knownHostsLine(type?: HostKeyType): Promise<string>
  /** As ssh-keygen prints it. */
  fingerprint(type?: HostKeyType): Promise<string>
  /** Another host key from the next connection on: a new one of that type, and no other. */
  setHostKey(type?: HostKeyType): Promise<void>
  /** Ends all connections at once (SIGKILL); it goes on listening. Returns how many processes that were. */
  killConnections(): number
  /** Ends it and all connections at once; `start` brings it back on the same port. */
  kill(): Promise<void>
  start(): Promise<void>
  stop(): Promise<void>
}

export type HostKeyType = 'ed25519' | 'ecdsa' | 'rsa'

export interface SshdOptions {
  /** Host keys; default ed25519 only. */
  hostKeys?: HostKeyType[]
  /** Makes a user of the system with a password (root only), removed by `stop`. `keyboard`: it is asked for it through PAM. */
  password?: 'password' | 'keyboard'
  /** More lines for sshd_config. */
  config?: string[]
}

/** Null: this machine can't, with the reason for the skip. */
export function whyNoSshd(needsRoot = false): string | null {
  if (!existsSync(SSHD)) return `no ${SSHD} here (apt-get install openssh-server)`
  if (needsRoot && process.getuid?.() !== 0) return 'a user with a password can be made by root only'
  return null
}

export async function startSshd(options: SshdOptions = {}): Promise<Sshd> {
  const why = whyNoSshd(options.password !== undefined)
  if (why) throw new Error(`These tests need OpenSSH's server: ${why}`)
  const isRoot = process.getuid?.() === 0
  // where sshd shuts itself in before anybody has logged in
  if (isRoot) await mkdir('/run/sshd', { recursive: true, mode: 0o755 })
  const folder = await mkdtemp(join(tmpdir(), 'backup-desk-sshd-'))
  await chmod(folder, 0o755)
  const port = await freePort()
  const authorizedKeys = join(folder, 'authorized_keys')
  const keyFile = join(folder, 'user_key')
  await makeKey(keyFile, 'ed25519')
  await writeFile(authorizedKeys, await readFile(`${keyFile}.pub`, 'utf8'), { mode: 0o644 })
  let hostKeys = options.hostKeys ?? ['ed25519']
  let generation = 0
  const hostKeyFile = (type: HostKeyType) => join(folder, `host_${type}_${generation}`)
  for (const type of hostKeys) await makeKey(hostKeyFile(type), type)
  const passwordUser = options.password ? await addUser(folder) : null
  const configFile = join(folder, 'sshd_config')
  let server: ChildProcess | null = null

  async function writeConfig(): Promise<void> {
    const lines = [
      'ListenAddress 127.0.0.1',
      `Port ${port}`,
      ...hostKeys.map((type) => `HostKey ${hostKeyFile(type)}`),
      `AuthorizedKeysFile ${authorizedKeys}`,
      `PidFile ${join(folder, 'pid')}`,
      'StrictModes no',
      'PermitRootLogin prohibit-password',
      `PasswordAuthentication ${options.password === 'password' ? 'yes' : 'no'}`,
      `KbdInteractiveAuthentication ${options.password === 'keyboard' ? 'yes' : 'no'}`,
      `UsePAM ${options.password === 'keyboard' ? 'yes' : 'no'}`,
      'MaxStartups 100',
      'MaxSessions 100',
      'PrintMotd no',
      'Subsystem sftp internal-sftp',
      // bash would read its user's .bashrc for each command, which may take seconds: it does so on the first level only
      'SetEnv SHLVL=2',
      ...(options.config ?? []),
    ]
    await writeFile(configFile, `${lines.join('\n')}\n`)
  }

  async function start(): Promise<void> {
    await writeConfig()
    const child = spawn(SSHD, ['-D', '-e', '-f', configFile], { stdio: ['ignore', 'ignore', 'pipe'] })
    let messages = ''
    child.stderr.on('data', (chunk: Buffer) => {
      messages = (messages + chunk.toString()).slice(-10_000)
    })
    server = child
    for (let tries = 0; !(await answers(port)); tries++) {
      if (child.exitCode !== null || tries > 1200) throw new Error(`sshd did not start: ${messages}`)
      await sleep(25)
    }
  }

  async function kill(): Promise<void> {
    const child = server
    server = null
    if (!child?.pid || child.exitCode !== null || child.signalCode !== null) return
    const exited = new Promise<void>((resolve) => child.once('exit', () => resolve()))
    const sessions = descendantsOf(child.pid)
    child.kill('SIGKILL')
    for (const pid of sessions) killProcess(pid)
    await exited
  }

  process.once('exit', () => {
    if (!server?.pid) return
    for (const pid of [...descendantsOf(server.pid), server.pid]) killProcess(pid)
  })
  await start()

  const publicKey = (type: HostKeyType) => `${hostKeyFile(type)}.pub`
  const chosen = (type: HostKeyType | undefined) => type ?? hostKeys[0] ?? 'ed25519'
  return {
    host: '127.0.0.1',
    port,
    user: userInfo().username,
    keyFile,
    folder,
    passwordUser,
    async authorize(line) {
      await writeFile(authorizedKeys, `${await readFile(authorizedKeys, 'utf8')}${line.trim()}\n`)
    },
    async knownHostsLine(type) {
      const [kind, key] = (await readFile(publicKey(chosen(type)), 'utf8')).split(' ')
      return `[127.0.0.1]:${port} ${kind} ${key}`
    },
    async fingerprint(type) {
      const { stdout } = await run('ssh-keygen', ['-lf', publicKey(chosen(type))])
      return stdout.split(' ')[1] ?? ''
    },
    async setHostKey(type = 'ed25519') {
      hostKeys = [type]
      generation++
      await makeKey(hostKeyFile(type), type)
      await kill()
      await start()
    },
    killConnections() {
      const sessions = server?.pid ? descendantsOf(server.pid) : []
      for (const pid of sessions) killProcess(pid)
      return sessions.length
    },
    kill,
    start,
    async stop() {
      await kill()
      // --force: what it ran last may not be gone yet
      if (passwordUser) await run('userdel', ['--force', '--remove', passwordUser.name]).catch(() => {})
      await rm(folder, { recursive: true, force: true })
    },
  }
}

/** Makes a key pair. @param options.format `PEM` for the older form */
export async function makeKey(
  file: string,
  type: HostKeyType,
  options: { passphrase?: string; format?: 'PEM' | 'PKCS8' } = {},
): Promise<void> {
  const format = options.format ? ['-m', options.format] : []
  const bits = type === 'rsa' ? ['-b', '2048'] : []
  await run('ssh-keygen', ['-q', '-t', type, ...bits, ...format, '-N', options.passphrase ?? '', '-C', 'test', '-f', file])
}

async function addUser(folder: string): Promise<{ name: string; password: string }> {
  const name = `bdtest${randomBytes(4).toString('hex')}`
  const password = randomBytes(12).toString('base64url')
  await run('useradd', ['--create-home', '--home-dir', join(folder, 'home'), '--shell', '/bin/sh', name])
  const child = spawn('chpasswd', { stdio: ['pipe', 'ignore', 'inherit'] })
  child.stdin.end(`${name}:${password}\n`)
  const code = await new Promise((resolve) => child.once('close', resolve))
  if (code !== 0) throw new Error(`chpasswd ended with ${code}`)
  return { name, password }
}

function answers(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = connect(port, '127.0.0.1')
    socket.once('connect', () => {
      socket.destroy()
      resolve(true)
    })
    socket.once('error', () => resolve(false))
  })
}

/** Each connection has processes of its own, which outlive the one that listens. */
function descendantsOf(pid: number): number[] {
  const parents = new Map<number, number>()
  for (const name of readdirSync('/proc')) {
    if (!/^\d+$/.test(name)) continue
    try {
      const stat = readFileSync(`/proc/${name}/stat`, 'latin1')
      parents.set(Number(name), Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]))
    } catch {
      // it ended meanwhile
    }
  }
  const found = [pid]
  for (let at = 0; at < found.length; at++) {
    for (const [child, parent] of parents) if (parent === found[at]) found.push(child)
  }
  return found.slice(1)
}

function killProcess(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // it ended meanwhile
  }
}
