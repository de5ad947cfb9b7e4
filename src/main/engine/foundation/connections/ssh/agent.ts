import { readFile } from 'node:fs/promises'
import ssh2, { type BaseAgent, type ParsedKey } from 'ssh2'

type Identities = Parameters<BaseAgent['getIdentities']>[0]

/**
 * The operator's SSH agent, asked for its keys once: those that stand among the files first, so that the server does not give
 * up before the right one came. Keys never leave it, and it is never forwarded.
 * @param files private key files; their public halves are looked for beside them
 * @param isOnly only the keys that stand among the files
 * @returns why there is nothing to use, for people
 */
export async function openAgent(socket: string | null, files: readonly string[], isOnly: boolean): Promise<BaseAgent | string> {
  if (socket === null) return 'there is no SSH agent (SSH_AUTH_SOCK is not set)'
  const agent = ssh2.createAgent(socket)
  const keys = await new Promise<ParsedKey[] | Error>((resolve) => {
    agent.getIdentities((error, found) => resolve(error ?? parsedKeys(found ?? [])))
  })
  if (keys instanceof Error) return 'the SSH agent did not answer'
  const wanted = await publicKeys(files)
  const isWanted = (key: ParsedKey) => wanted.some((blob) => blob.equals(key.getPublicSSH()))
  const first = keys.filter(isWanted)
  const usable = isOnly ? first : [...first, ...keys.filter((key) => !isWanted(key))]
  if (usable.length === 0) {
    return keys.length === 0 ? 'the SSH agent has no keys' : 'the SSH agent has none of the keys of ~/.ssh/config'
  }
  // the identities are handed out as they are ordered here; signing stays with the agent
  return Object.assign(Object.create(agent) as BaseAgent, {
    getIdentities: (done: Identities) => done(undefined, usable),
  })
}

function parsedKeys(found: readonly unknown[]): ParsedKey[] {
  return found.flatMap((entry) => {
    const parsed = typeof entry === 'object' && entry !== null && 'getPublicSSH' in entry ? entry : parse(entry)
    return parsed ? [parsed as ParsedKey] : []
  })
}

function parse(entry: unknown): ParsedKey | null {
  if (typeof entry !== 'string' && !Buffer.isBuffer(entry)) return null
  const parsed = ssh2.utils.parseKey(entry)
  return parsed instanceof Error ? null : parsed
}

async function publicKeys(files: readonly string[]): Promise<Buffer[]> {
  const texts = await Promise.all(files.map((file) => readFile(`${file.replace(/\.pub$/, '')}.pub`, 'utf8').catch(() => '')))
  return texts.flatMap((text) => {
    const encoded = text.split(/\s+/)[1]
    return encoded ? [Buffer.from(encoded, 'base64')] : []
  })
}
