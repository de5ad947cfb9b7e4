import type { ServerCommand } from '#shared/contract/servers.ts'
import { callUnlocking } from '../queries.ts'
import { showError } from './show-error.ts'

/** Runs one command of Zotonic for a site on its server; of a restart the shell asks first. */
export async function runOnServer(site: string, command: ServerCommand): Promise<void> {
  await callUnlocking('servers.command', { site, command }).catch(showError)
}
