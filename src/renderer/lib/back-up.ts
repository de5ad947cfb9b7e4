import type { RepositoryName } from '#shared/model/backup.ts'
import { readError } from '../bridge.ts'
import { callUnlocking } from '../queries.ts'
import { showError } from './show-error.ts'

/** Starts a backup of a site; into the server's folder the shell asks first, in its own window. */
export async function backUp(site: string, to: RepositoryName, databaseOnly = false): Promise<string | null> {
  try {
    return (await callUnlocking('backups.create', { site, to, databaseOnly })).jobId
  } catch (error) {
    // the operator said no in the shell's window: there is nothing to tell
    if (readError(error).code !== 'not-confirmed') showError(error)
    return null
  }
}

/** Lets the server make a backup by itself; the shell asks first. */
export async function backUpOnServer(site: string): Promise<string | null> {
  try {
    return (await callUnlocking('servers.backup', { site })).jobId
  } catch (error) {
    showError(error)
    return null
  }
}
