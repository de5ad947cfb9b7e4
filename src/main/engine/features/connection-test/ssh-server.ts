import { posix } from 'node:path'
import { Readable } from 'node:stream'
import { serverSeconds } from '#engine/foundation/connections/ssh/server-clock.ts'
import type {
  ConnectStep,
  RemoteFacts,
  RemoteFiles,
  SshConnection,
  SshConnections,
  SshTarget,
} from '#engine/foundation/connections/ssh/types.ts'
import { type HostKey, hostKeySchema } from '#shared/contract/servers.ts'
import { AppError, toAppError } from '#shared/errors.ts'
import { formatPlural } from '#shared/format.ts'
import type { SshServer } from '#shared/model/site.ts'
import { NEEDS, probeName } from './folder-server.ts'
import { clockFinding, type Finding, failed, passed, type Steps, warning } from './steps.ts'

const LABELS: Record<ConnectStep['name'], string> = {
  resolve: 'Resolve',
  connect: 'Connect',
  'host-key': 'Host key',
  'log-in': 'Log in',
}
const AFTER_LOG_IN = ['Clock', 'Tools', 'Site folder', 'Media', 'Security', 'Backup folder']

/** Prints a line for each tool: its name, and what it says of itself or nothing when it is not there. */
const ASK_TOOLS = `
for tool in "$@"; do
  if command -v "$tool" >/dev/null 2>&1; then echo "$tool:$("$tool" --version 2>&1 | head -n 1)"; else echo "$tool-missing:"; fi
done
exit 0
`
const TOOLS: Record<string, string> = {
  pg_dump: 'the database is dumped by this program instead of there',
  psql: 'a restore cannot load the database there',
  tar: 'media and configuration cannot be backed up or restored',
  gunzip: 'backups cannot be unpacked there',
  sha256sum: 'files have to be fetched to be verified',
}

export interface ServerTest {
  /** null: there is none. */
  connection: SshConnection | null
  unknownHost: HostKey | null
}

/** Connects to a server and tries what is needed there, step by step; its probe is removed again. */
export async function testSshServer(
  steps: Steps,
  ssh: SshConnections,
  target: SshTarget,
  folders: Omit<SshServer, 'kind' | 'ssh'>,
): Promise<ServerTest> {
  const { connection, unknownHost } = await connect(steps, ssh, target)
  if (!connection) {
    steps.skip(AFTER_LOG_IN, 'there is no connection')
    return { connection, unknownHost }
  }
  const { files } = connection
  const { siteDir, filesDir, securityDir, backupDir } = folders
  await steps.try('Clock', () => clock(connection))
  await steps.try('Tools', () => tools(connection))
  await steps.try('Site folder', () => readableFolder(files, siteDir, NEEDS.site))
  await steps.try('Media', () => mediaFolder(files, posix.join(filesDir, 'archive')))
  await steps.try('Security', () => readableFolder(files, securityDir, NEEDS.security))
  await steps.try('Backup folder', () => backupFolder(files, backupDir ?? posix.join(filesDir, 'backup')))
  return { connection, unknownHost }
}

async function connect(steps: Steps, ssh: SshConnections, target: SshTarget): Promise<ServerTest> {
  const started = performance.now()
  const done: ConnectStep['name'][] = []
  const onStep = ({ name, finding, milliseconds }: ConnectStep) => {
    done.push(name)
    steps.add(LABELS[name], passed(finding), milliseconds)
  }
  try {
    const connection = await ssh.connect(target, { onStep })
    if (done.length === 0) await steps.try('Connect', () => answers(connection))
    return { connection, unknownHost: null }
  } catch (error) {
    const { code, message, hint, details } = toAppError(error)
    const known = stepOf(code)
    // a machine that lets itself be connected to and then says nothing is unreachable all the same
    const at = known === null || known === done.at(-1) ? nextStep(done.at(-1)) : known
    steps.add(LABELS[at], failed(message, hint), performance.now() - started)
    const names = Object.keys(LABELS) as ConnectStep['name'][]
    steps.skip(
      names.slice(names.indexOf(at) + 1).map((name) => LABELS[name]),
      `“${LABELS[at]}” failed`,
    )
    const shown = code === 'host-key-unknown' ? hostKeySchema.safeParse(details) : null
    return { connection: null, unknownHost: shown?.data ?? null }
  }
}

/** It was connected before, for other work: its steps were done then. */
async function answers(connection: SshConnection): Promise<Finding> {
  const { code } = await connection.run(['true'], { timeoutMs: 20_000 })
  if (code === 0) return passed(`Connected already to ${connection.place}, and it answers`)
  return failed(`${connection.place} runs no commands`, 'Log in as a user whose shell runs commands.')
}

function stepOf(code: string): ConnectStep['name'] | null {
  if (code === 'host-unknown') return 'resolve'
  if (code === 'host-unreachable') return 'connect'
  if (code.startsWith('host-key-')) return 'host-key'
  if (code === 'log-in-refused' || code.startsWith('key-')) return 'log-in'
  return null
}

function nextStep(last: ConnectStep['name'] | undefined): ConnectStep['name'] {
  if (last === undefined) return 'resolve'
  return last === 'resolve' ? 'connect' : last === 'connect' ? 'host-key' : 'log-in'
}

async function clock(connection: SshConnection): Promise<Finding> {
  const before = Date.now()
  const there = await serverSeconds(connection)
  if (there === null) return warning('The server does not tell its time', 'Is "date" there?')
  const here = (before + Date.now()) / 2000
  // it tells whole seconds: half a one is lost in the mean
  return clockFinding(there + 0.5 - here)
}

async function tools(connection: SshConnection): Promise<Finding> {
  const names = Object.keys(TOOLS)
  const { stdout } = await connection.run(['sh', '-c', ASK_TOOLS, 'sh', ...names], { timeoutMs: 30_000 })
  const said = new Map(stdout.split('\n').map((line) => [line.slice(0, line.indexOf(':')), line.slice(line.indexOf(':') + 1)]))
  const found = names.filter((name) => said.has(name))
  const missing = names.filter((name) => !said.has(name))
  const finding = found.map((name) => `${name} ${/\d+(?:\.\d+)+/.exec(said.get(name) ?? '')?.[0] ?? ''}`.trim()).join(', ')
  if (missing.length === 0) return passed(finding)
  const losses = missing.map((name) => `without ${name} ${TOOLS[name]}`).join('; ')
  return warning(`${missing.join(', ')} not found${finding === '' ? '' : `; ${finding}`}`, `Install it on the server: ${losses}.`)
}

async function readableFolder(files: RemoteFiles, path: string, loss: string): Promise<Finding> {
  const entries = await files.list(path)
  if (entries.length === 0) return warning(`${path} is empty`, loss)
  return passed(`${path}, ${formatPlural(entries.length, 'entry', 'entries')}`)
}

async function mediaFolder(files: RemoteFiles, path: string): Promise<Finding> {
  if ((await files.facts(`${path}/.`))?.kind === 'folder') return readableFolder(files, path, NEEDS.media)
  return warning(`${path} does not exist`, NEEDS.noMedia)
}

async function backupFolder(files: RemoteFiles, path: string): Promise<Finding> {
  const entries = await files.list(path)
  const probe = posix.join(path, probeName())
  let written: RemoteFacts | null = null
  try {
    await files.write(probe, Readable.from([Buffer.from('Backup Desk tries whether it may write here.\n')]), { exclusive: true })
    written = await files.facts(probe)
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'permission-denied') throw error
    return warning(`${path} can be read only`, NEEDS.readOnly)
  } finally {
    await files.remove(probe).catch(() => {})
  }
  const index = entries.find(({ name }) => name === 'backup.json')?.facts ?? (await files.facts(`${path}/.`))
  if (index && written && written.uid !== 0 && written.uid !== index.uid) {
    return warning(
      `${path}, read and write, but as another user than the server’s own files`,
      'The server could not replace what is written here, so nothing is. Log in as the user that Zotonic runs as.',
    )
  }
  return passed(`${path}, read and write`)
}
