import { readFile, stat } from 'node:fs/promises'
import { AppError } from '#shared/errors.ts'
import { dumpSettingsSchema, type SiteInput, type SiteView } from '#shared/model/site.ts'
import { type Outcome, wrongUse } from '../exit.ts'
import type { Session } from '../session.ts'
import { formatTable } from '../table.ts'
import { addDiscovered, type ReachOptions } from './connections.ts'

const MAX_SITE_FILE = 1024 * 1024

export async function listSites({ engine }: Session): Promise<Outcome> {
  const result = await engine.call('sites.list', {})
  const { problems } = await engine.call('settings.get', {})
  const all = [...result.problems, ...problems]
  const rows = result.sites.map(({ site, vaultPath }) => [
    site.name,
    site.label ?? '',
    `${site.database.database}/${site.database.schema} at ${site.database.host}:${site.database.port}`,
    site.server ? site.server.siteDir : '–',
    vaultPath,
  ])
  const table =
    rows.length > 0
      ? formatTable(['Site', 'Label', 'Database', 'Server folder', 'Vault'], rows)
      : 'No sites yet. Add one with: zbd sites add --file SITE.json\n'
  const warnings = all.map((problem) => `! ${problem.message}\n  ${problem.hint}\n`).join('')
  return { result: { sites: result.sites, problems: all }, text: table + warnings }
}

export async function showSite({ engine }: Session, site: string): Promise<Outcome> {
  const view = await engine.call('sites.show', { site })
  return { result: view, text: siteText(view) }
}

export async function addSite(
  session: Session,
  options: ReachOptions & { file?: string; discover?: string; site?: string },
): Promise<Outcome> {
  const { engine, terminal } = session
  const { file, discover, site } = options
  const given = file === undefined ? {} : await readSiteFile(file, terminal)
  const input = discover === undefined ? (given as SiteInput) : await addDiscovered(session, discover, site, options, given)
  const view = await engine.call('sites.add', { site: input })
  return { result: view, text: `Added.\n${siteText(view)}` }
}

export async function removeSite({ engine }: Session, site: string): Promise<Outcome> {
  const result = await engine.call('sites.remove', { site })
  return { result, text: `Removed ${site} from this program. Its backups stay in ${result.vaultKept}.\n` }
}

async function readSiteFile(file: string, terminal: Session['terminal']): Promise<unknown> {
  let text: string
  if (file === '-') text = (await terminal.readStdin()).toString('utf8')
  else {
    const facts = await stat(file)
    if (facts.size > MAX_SITE_FILE) throw wrongUse(`"${file}" is too large for a site file.`)
    text = await readFile(file, 'utf8')
  }
  try {
    return JSON.parse(text)
  } catch {
    // the parser's own message quotes the text, and with it perhaps a password
    throw new AppError('bad-input', `"${file}" is not JSON. No site was added.`, { hint: 'See docs/formats.md, "site.json".' })
  }
}

function serverText({ server }: SiteView['site']): string {
  if (!server) return 'none'
  if (server.kind === 'folder') return `folder ${server.siteDir}`
  const { host, user, port } = server.ssh
  return `${user === undefined ? '' : `${user}@`}${host}${port === undefined ? '' : `:${port}`}, ${server.siteDir}`
}

function siteText({ site, vaultPath, hasDatabasePassword, hasEncryptionPassword }: SiteView): string {
  const { database, server } = site
  const dump = dumpSettingsSchema.parse(site.dump ?? {})
  const stored = (has: boolean) => (has ? 'stored' : 'not stored')
  return formatTable(
    ['Site', site.name],
    [
      ...(site.label ? [['Label', site.label]] : []),
      [
        'Database',
        `${database.user}@${database.host}:${database.port}/${database.database}, schema ${database.schema}, TLS ${database.tls}${database.via === 'ssh' ? ', through the server' : ''}`,
      ],
      ['Password', stored(hasDatabasePassword)],
      ['Server', serverText(site)],
      ...(server
        ? [
            ['Files', server.filesDir],
            ['Security', server.securityDir],
          ]
        : []),
      ['Vault', vaultPath],
      ['Encryption', `${site.encryption?.enabled ? 'on' : 'off'}, password ${stored(hasEncryptionPassword)}`],
      ['Rotation', site.rotation],
      ['Dump', `${dump.engine}, compression ${dump.compression}`],
    ],
  )
}
