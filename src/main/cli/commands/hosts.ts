import type { HostKey } from '#shared/contract/servers.ts'
import { AppError } from '#shared/errors.ts'
import type { SshSettings } from '#shared/model/site.ts'
import { type Outcome, wrongUse } from '../exit.ts'
import type { Session } from '../session.ts'
import { formatTable } from '../table.ts'

export interface AcceptOptions {
  fingerprint: string
  site?: string
}

export async function listHosts({ engine }: Session): Promise<Outcome> {
  const result = await engine.call('hosts.list', {})
  const rows = result.hosts.map((key) => [key.host, String(key.port), key.type, key.fingerprint])
  const text =
    rows.length > 0
      ? formatTable(['Host', 'Port', 'Type', 'Fingerprint'], rows)
      : 'No host key was accepted here yet. Those of ~/.ssh/known_hosts count too.\n'
  return { result, text }
}

/** Connects, looks at the key that the host shows, and accepts it only when it is the one that was named. */
export async function acceptHost(session: Session, place: string, { fingerprint, site }: AcceptOptions): Promise<Outcome> {
  const { engine } = session
  const { host, port } = parsePlace(place)
  const settings: SshSettings = site ? await sshOf(session, site) : { host, auth: 'auto', ...(port === null ? {} : { port }) }
  const shown = await lookAt(session, settings)
  const seen = shown.isKnown ? shown.fingerprint : shown.key.fingerprint
  if (seen !== fingerprint) {
    // on the way there, a jump host may be the one that is not known
    const from = shown.isKnown ? place : `${shown.key.host}:${shown.key.port}`
    throw new AppError('host-key-not-seen', `${from} showed the key ${seen}, not ${fingerprint}. Nothing was accepted.`, {
      hint: 'Compare with the server: there, ssh-keygen -lf on its public host key. Somebody may be in between.',
      details: { host, port, fingerprint: seen },
    })
  }
  if (shown.isKnown) {
    return { result: { accepted: false, known: true, fingerprint }, text: `The key of ${place} is known already.\n` }
  }
  // by the name that the alias stands for
  const accepted = await engine.call('hosts.accept', { host: shown.key.host, port: shown.key.port, fingerprint })
  return {
    result: { accepted: true, known: false, ...accepted },
    text: `Accepted the ${accepted.type} key ${accepted.fingerprint} of ${accepted.host}:${accepted.port}.\n`,
  }
}

export async function forgetHost({ engine }: Session, place: string): Promise<Outcome> {
  const { host, port } = parsePlace(place)
  const result = await engine.call('hosts.forget', { host, port: port ?? 22 })
  const text = result.forgotten ? `Forgot the key of ${place}.\n` : `No key of ${place} was accepted here. Nothing was changed.\n`
  return { result, text }
}

/** @throws wrong use, when `--confirm` is not there or names another host */
export function checkForget(place: string, confirm: string | undefined): void {
  const { host } = parsePlace(place)
  if (confirm !== host) throw wrongUse(`To forget the key of ${host}, name it once more: --confirm ${host}`)
}

type Shown = { isKnown: true; fingerprint: string } | { isKnown: false; key: HostKey }

async function lookAt({ engine, interrupted }: Session, settings: SshSettings): Promise<Shown> {
  let known = ''
  try {
    await engine.context.ssh.connect(
      { settings, secrets: {} },
      {
        signal: interrupted,
        onStep: ({ name, finding }) => {
          if (name === 'host-key') known = finding.split(' ').at(-1) ?? ''
        },
      },
    )
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    if (error.code === 'host-key-unknown') return { isKnown: false, key: error.details as HostKey }
    // who may log in is another question
    if (known === '' || error.code.startsWith('host-key-')) throw error
  }
  return { isKnown: true, fingerprint: known }
}

async function sshOf({ engine }: Session, site: string): Promise<SshSettings> {
  const { server } = (await engine.call('sites.show', { site })).site
  if (server?.kind === 'ssh') return server.ssh
  throw wrongUse(`The site ${site} has no server with SSH.`)
}

/** `HOST`, `HOST:PORT`, `[ADDRESS]:PORT` */
function parsePlace(place: string): { host: string; port: number | null } {
  const found = /^(?:\[([^\]\s]+)\]|([^\s:@[\]]+)|([0-9a-fA-F:]+:[0-9a-fA-F:.]*))(?::(\d{1,5}))?$/.exec(place)
  const host = found?.[1] ?? found?.[2] ?? found?.[3]
  const port = found?.[4] === undefined ? null : Number(found[4])
  if (host === undefined || (port !== null && (port < 1 || port > 65_535))) {
    throw wrongUse(`"${place.slice(0, 100)}" is no host. Write it as HOST or HOST:PORT.`)
  }
  return { host, port }
}
