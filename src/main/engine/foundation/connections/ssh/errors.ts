import type { HostKey } from '#shared/contract/servers.ts'
import { AppError } from '#shared/errors.ts'

/** `connection-lost`: what was under way is broken off; the next use connects again. */
export function connectionLost(place: string, cause?: unknown): AppError {
  return new AppError('connection-lost', `The SSH connection to ${place} was lost.${reasonOf(cause)}`, {
    hint: 'Check the network and the server, then try again. What was complete before stays as it is.',
    details: { place },
    cause,
  })
}

export function hostUnknown(host: string, system: string | undefined): AppError {
  const why = system === 'EAI_AGAIN' ? 'its name could not be looked up' : 'there is no host of this name'
  return new AppError('host-unknown', `No SSH connection to ${host}: ${why}.`, {
    hint: 'Check the spelling of the host, and the network. An alias must stand in ~/.ssh/config.',
    details: { host, system: system ?? null },
  })
}

const UNREACHABLE: Record<string, string> = {
  ECONNREFUSED: 'nothing answers there',
  ETIMEDOUT: 'no answer came in time',
  EHOSTUNREACH: 'the host cannot be reached',
  ENETUNREACH: 'the network cannot be reached',
  ECONNRESET: 'it was broken off',
  EPIPE: 'it was broken off',
}

export function hostUnreachable(place: string, why: string | Error): AppError {
  const system = typeof why === 'string' ? undefined : (why as NodeJS.ErrnoException).code
  const reason = typeof why === 'string' ? why : ((system ? UNREACHABLE[system] : undefined) ?? why.message)
  return new AppError('host-unreachable', `No SSH connection to ${place}: ${reason}.`, {
    hint: 'Is the server up, does SSH listen on this port, and does a firewall let it through?',
    details: { place, system: system ?? null },
    cause: typeof why === 'string' ? undefined : why,
  })
}

export function hostKeyUnknown(key: HostKey): AppError {
  return new AppError(
    'host-key-unknown',
    `The SSH server ${nameOf(key)} is not known yet: it showed the ${key.type} key ${key.fingerprint}. Nothing was sent to it.`,
    {
      hint: 'Compare the fingerprint with the one of the server (there: ssh-keygen -lf on its public host key), then accept it.',
      details: { ...key },
    },
  )
}

/** @param known the keys that were known for the host before */
export function hostKeyChanged(shown: HostKey, known: readonly { type: string; fingerprint: string }[], file: string): AppError {
  const expected = known.map(({ type, fingerprint }) => `${type} ${fingerprint}`).join(', ')
  return new AppError(
    'host-key-changed',
    `The SSH server ${nameOf(shown)} showed the ${shown.type} key ${shown.fingerprint}, but the key known for it is ${expected}. Somebody may be in between. Nothing was sent to it.`,
    {
      hint: `When the server was set up anew, remove the known key from ${file} and accept the new one. Otherwise find out what changed first.`,
      details: { ...shown, known: known.map(({ type, fingerprint }) => ({ type, fingerprint })), file },
    },
  )
}

export function hostKeyRevoked(key: HostKey, file: string): AppError {
  return new AppError(
    'host-key-revoked',
    `The SSH server ${nameOf(key)} showed the key ${key.fingerprint}, which is marked as revoked. Nothing was sent to it.`,
    { hint: `The key stands as @revoked in ${file}. The server needs a new one.`, details: { ...key, file } },
  )
}

export function keyUnreadable(file: string, why: string): AppError {
  return new AppError('key-unreadable', `The key file ${file} could not be used: ${why}.`, {
    hint: 'Give the private key file, in OpenSSH’s or PEM format, that the user who runs this can read.',
    details: { file },
  })
}

export function keyPassphrase(file: string, isMissing: boolean): AppError {
  const what = isMissing ? 'is protected by a passphrase, and none is stored' : 'did not open with the stored passphrase'
  return new AppError('key-passphrase', `The key file ${file} ${what}.`, {
    hint: 'Enter its passphrase in the site’s settings, or add the key to the SSH agent.',
    details: { file, isMissing },
  })
}

/** @param tried what was tried, for people: `the agent’s keys`, `the stored password` */
export function logInRefused(place: string, tried: readonly string[], why: string, offered: readonly string[]): AppError {
  const what = tried.length > 0 ? `Tried: ${tried.join(', ')}.` : 'There was nothing to log in with.'
  const takes = offered.length > 0 ? ` The server takes: ${offered.join(', ')}.` : ''
  return new AppError('log-in-refused', `The SSH server refused to log in ${place}${why ? ` (${why})` : ''}. ${what}${takes}`, {
    hint: 'Check user, key or password, and that the key is among the user’s authorized_keys on the server.',
    details: { place, tried: [...tried], offered: [...offered] },
  })
}

/** @param place the server that was asked to forward */
export function forwardRefused(place: string, to: string, error: Error): AppError {
  const { reason } = error as { reason?: unknown }
  const isForbidden = reason === 1
  const why = isForbidden ? 'it does not allow to forward there' : `it could not reach it (${error.message})`
  return new AppError('forward-refused', `No way to ${to} through ${place}: ${why}.`, {
    hint: isForbidden
      ? 'Set AllowTcpForwarding (for a socket: AllowStreamLocalForwarding) in the server’s sshd_config.'
      : 'Check host, port or socket path as the server sees them, and that something listens there.',
    details: { place, to, isForbidden },
    cause: error,
  })
}

/** `example.org`, or `example.org:2222`. */
export function nameOf({ host, port }: { host: string; port: number }): string {
  if (port === 22) return host
  return host.includes(':') ? `[${host}]:${port}` : `${host}:${port}`
}

function reasonOf(cause: unknown): string {
  if (!(cause instanceof Error) || !cause.message) return ''
  return ` (${cause.message})`
}
