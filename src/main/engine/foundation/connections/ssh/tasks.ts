import type { TaskTable } from '../../worker-tasks.ts'
import { plainEd25519 } from './plain-key.ts'

/** A private key that is protected by a passphrase. */
export interface OpenKeyRequest {
  key: string
  passphrase: string
}

/** What worker.ts offers of this room. */
export const sshTasks: TaskTable = {
  'ssh.openKey': openKey,
}

/** The key without its protection; null: the passphrase does not fit. A third of a second for OpenSSH's format. */
async function openKey({ key, passphrase }: OpenKeyRequest): Promise<string | null> {
  // other tasks' threads do without it
  const { default: ssh2 } = await import('ssh2')
  const parsed = ssh2.utils.parseKey(key, passphrase)
  if (parsed instanceof Error) return null
  const opened = Array.isArray(parsed) ? parsed[0] : parsed
  const pem = opened?.getPrivatePEM() ?? null
  if (pem === null || opened?.type !== 'ssh-ed25519') return pem
  return plainEd25519(Buffer.from(pem.replace(/-----[A-Z ]+-----/g, ''), 'base64'))
}
