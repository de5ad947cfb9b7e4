import type { ConnectionCheck } from '#shared/contract/sites.ts'
import { AppError } from '#shared/errors.ts'
import { formatMilliseconds } from '#shared/format.ts'
import type { ZotonicSite } from '#shared/model/server.ts'
import type { SiteInput, SshSecrets, SshSettings, ZotonicSettings } from '#shared/model/site.ts'
import { type Outcome, wrongUse } from '../exit.ts'
import type { Session } from '../session.ts'

/** How a server is reached, on the command line. */
export interface ReachOptions {
  jump?: string[]
  key?: string
  command?: string
  runAs?: string
}

interface Discovered {
  discovery: string
  command: string
  runAs: string | null
  sites: ZotonicSite[]
}

const DESTINATION = /^(?:([^\s@]+)@)?(?:\[([0-9a-fA-F:.]+)\]|([^\s@:[\]]+))(?::(\d{1,5}))?$/
const MARKS: Record<ConnectionCheck['outcome'], string> = { passed: 'ok', warning: 'warning', failed: 'FAILED', skipped: '–' }

/** `zbd test`: every connection of a site, step by step. */
export async function testSite({ engine }: Session, name: string): Promise<Outcome> {
  const { site } = await engine.call('sites.show', { site: name })
  const result = await engine.call('sites.test', { site })
  const groups = [...new Set(result.checks.map(({ connection }) => connection))]
  const text = groups.map((group) => `${group}\n${groupText(result.checks.filter(({ connection }) => connection === group))}`)
  const unknown = result.unknownHost
  if (unknown) text.push(`To accept the key of ${unknown.host}, once you compared its fingerprint: zbd hosts --help\n`)
  return { result, text: text.join(''), problem: result.checks.some(({ outcome }) => outcome === 'failed') }
}

function groupText(checks: readonly ConnectionCheck[]): string {
  const width = Math.max(...checks.map(({ name }) => name.length))
  return checks
    .map(({ name, outcome, finding, advice, milliseconds }) => {
      const time = outcome === 'skipped' ? '' : `  (${formatMilliseconds(milliseconds)})`
      const line = `  ${name.padEnd(width)}  ${MARKS[outcome].padEnd(7)}  ${finding}${time}\n`
      return advice === '' ? line : `${line}${' '.repeat(width + 4)}→ ${advice}\n`
    })
    .join('')
}

/** `zbd discover`: the sites of a server. */
export async function discoverSites(session: Session, host: string, options: ReachOptions): Promise<Outcome> {
  const { found, jobId } = await discover(session, host, options)
  const { discovery: _inMemoryOnly, ...result } = found
  const sites = found.sites.map(siteText).join('')
  const as = found.runAs === null ? '' : `, run as ${found.runAs}`
  return {
    result: { ...result, jobId },
    text: `${found.command}${as}\n${sites || 'It has no sites.\n'}Add one with: zbd sites add --discover ${host} --site NAME\n`,
  }
}

/** `zbd sites add --discover`: what was found, and what a file says beside it. */
export async function addDiscovered(
  session: Session,
  host: string,
  name: string | undefined,
  options: ReachOptions,
  rest: unknown,
): Promise<SiteInput> {
  if (name === undefined) throw wrongUse('sites add: --discover needs --site, the name of the site there.')
  if (typeof rest !== 'object' || rest === null || Array.isArray(rest)) {
    throw new AppError('bad-input', 'The site file is no JSON object. No site was added.', {
      hint: 'See docs/formats.md, "site.json".',
    })
  }
  const { found, ssh, sshSecrets } = await discover(session, host, options)
  const site = found.sites.find((candidate) => candidate.name === name)
  if (!site) {
    const names = found.sites.map((candidate) => candidate.name).join(', ')
    throw new AppError('site-unknown-there', `The Zotonic of ${host} has no site ${name}. No site was added.`, {
      hint: names === '' ? 'It has no sites.' : `It has ${names}.`,
    })
  }
  const given = rest as Partial<SiteInput>
  const { database, filestore, siteDir, filesDir, securityDir } = site.found
  const server = { kind: 'ssh', ssh, siteDir, filesDir, securityDir, ...given.server }
  const complete = { ...database, ...given.database }
  const lacks = [server.siteDir, server.filesDir, server.securityDir, complete.database, complete.schema, complete.user]
  if (lacks.some((value) => value === undefined)) {
    throw new AppError('discovery-incomplete', `Not all of ${name} was found on ${host}. No site was added.`, {
      hint: `Give the rest with --file, a site.json. Missing: ${site.missing.join(' ')}`,
      details: { site: name, missing: site.missing },
    })
  }
  const zotonic = { command: found.command, ...(found.runAs === null ? {} : { runAs: found.runAs }) }
  return {
    ...(filestore ? { filestore } : {}),
    zotonic,
    ...given,
    name,
    discovery: found.discovery,
    database: complete,
    server,
    ...(Object.keys(sshSecrets).length > 0 ? { sshSecrets: { ...sshSecrets, ...given.sshSecrets } } : {}),
  } as SiteInput
}

async function discover(session: Session, host: string, options: ReachOptions) {
  const ssh = reach(host, options)
  const sshSecrets = await secretsOf(session, options)
  const zotonic: ZotonicSettings = {
    ...(options.command === undefined ? {} : { command: options.command }),
    ...(options.runAs === undefined ? {} : { runAs: options.runAs }),
  }
  const { jobId } = await session.engine.call('servers.discover', { ssh, sshSecrets, zotonic })
  const job = await session.follow(jobId)
  return { found: job.result as Discovered, jobId, ssh, sshSecrets }
}

function reach(destination: string, { jump, key }: ReachOptions): SshSettings {
  const [, user, address, name, port] = DESTINATION.exec(destination) ?? []
  const host = address ?? name
  if (host === undefined) throw wrongUse(`"${destination}" is no [USER@]HOST[:PORT].`)
  return {
    host,
    auth: 'auto',
    ...(user === undefined ? {} : { user }),
    ...(port === undefined ? {} : { port: Number(port) }),
    ...(key === undefined ? {} : { keyFile: key }),
    ...(jump === undefined ? {} : { jumps: jump }),
  }
}

/** What --password-file holds is for the key file when one is named, else for logging in. */
async function secretsOf({ sources }: Session, { key }: ReachOptions): Promise<SshSecrets> {
  const [given, second] = await sources.passwords()
  if (second !== undefined) throw wrongUse('Name one --password-file: the password to log in with, or the passphrase of --key.')
  if (given === undefined) return {}
  return key === undefined ? { password: given } : { passphrase: given }
}

function siteText(site: ZotonicSite): string {
  const { database, filestore, siteDir, filesDir, securityDir } = site.found
  const told = (has: boolean, what: string) => (has ? `${what} found` : `${what} not found`)
  const lines = [
    ...(database
      ? [
          `  database   ${database.database}, schema ${database.schema}, at ${database.host}:${database.port} as ${database.user}, ${told(site.hasDatabasePassword, 'password')}`,
        ]
      : []),
    `  site       ${siteDir ?? '–'}`,
    `  files      ${filesDir ?? '–'}`,
    `  security   ${securityDir ?? '–'}`,
    ...(filestore
      ? [
          `  filestore  ${filestore.endpoint ?? 'AWS'}, bucket ${filestore.bucket}, ${told(site.hasFilestoreSecret, 'secret key')}`,
        ]
      : []),
    ...site.missing.map((sentence) => `  ! ${sentence}`),
  ]
  const facts = [site.state, site.environment, site.hostname].filter((fact) => fact !== null).join(', ')
  return `${site.name} (${facts})\n${lines.map((line) => `${line}\n`).join('')}`
}
