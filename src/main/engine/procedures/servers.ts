import { discovered, startDiscovery } from '#engine/features/discovery/index.ts'
import { backupSettings, takePassword, updateBackupSettings } from '#engine/features/mod-backup/index.ts'
import {
  backupConfirmation,
  restartConfirmation,
  startServerBackup,
  startServerCommand,
  wordsOf,
} from '#engine/features/server-command/index.ts'
import { requireSsh } from '#engine/foundation/connections/zotonic/site-zotonic.ts'
import type { EngineContext } from '#engine/foundation/context.ts'
import type { Handlers } from '#engine/router.ts'
import type { servers as area } from '#shared/contract/servers.ts'
import { hostsProcedures } from './hosts.ts'

export function serversProcedures(context: EngineContext): Handlers<typeof area> {
  const { sites } = context
  return {
    ...hostsProcedures(context),
    'servers.discover': async (request) => ({ jobId: startDiscovery(context, request).id }),
    'servers.discovered': async ({ discovery }) => discovered(context, discovery),
    'servers.backup': async ({ site: name }) => {
      const site = await sites.get(name)
      requireSsh(site, ['backup', name, 'start'])
      // a locked store is told now, while the operator is there, and not as the job's failure
      await sites.sshSecrets(site)
      if (!(await context.confirm(backupConfirmation(site)))) return { jobId: null }
      return { jobId: startServerBackup(context, name).id }
    },
    'servers.command': async ({ site: name, command }) => {
      const site = await sites.get(name)
      requireSsh(site, wordsOf(command, name))
      await sites.sshSecrets(site)
      if (command === 'restart' && !(await context.confirm(restartConfirmation(site)))) return { jobId: null }
      return { jobId: startServerCommand(context, name, command).id }
    },
    'servers.backupSettings': ({ site }) => backupSettings(context, site),
    'servers.updateBackupSettings': ({ site, settings }) => updateBackupSettings(context, site, settings),
    'servers.takePassword': ({ site }) => takePassword(context, site),
  }
}
