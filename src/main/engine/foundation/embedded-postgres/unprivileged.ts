import { readFile } from 'node:fs/promises'
import { AppError } from '#shared/errors.ts'

/** Whom a program runs as. */
export interface Identity {
  uid: number
  gid: number
}

/**
 * PostgreSQL refuses to run as root: then it is handed to the user `postgres`, else `nobody`. For anybody else null.
 * @throws AppError `no-unprivileged-user`
 */
export async function unprivilegedIdentity(): Promise<Identity | null> {
  if (process.getuid?.() !== 0) return null
  const lines = (await readFile('/etc/passwd', 'utf8').catch(() => '')).split('\n').map((line) => line.split(':'))
  for (const wanted of ['postgres', 'nobody']) {
    const line = lines.find(([name]) => name === wanted)
    const uid = Number(line?.[2])
    const gid = Number(line?.[3])
    if (Number.isInteger(uid) && Number.isInteger(gid) && uid > 0) return { uid, gid }
  }
  throw new AppError('no-unprivileged-user', 'PostgreSQL does not run as root, and there is no user "postgres" or "nobody".', {
    hint: 'Run the app as an ordinary user, or add a user "postgres".',
  })
}
