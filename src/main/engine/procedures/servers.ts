import type { EngineContext } from '#engine/foundation/context.ts'
import type { Handlers } from '#engine/router.ts'
import type { servers as area } from '#shared/contract/servers.ts'
import { beingBuilt } from './being-built.ts'

export function serversProcedures({ ssh }: EngineContext): Handlers<typeof area> {
  return {
    'hosts.list': async () => ({ hosts: await ssh.hostKeys.list() }),
    'hosts.accept': (key) => ssh.hostKeys.accept(key),
    'hosts.forget': beingBuilt,
    'hosts.aliases': async () => ({ aliases: await ssh.aliases() }),
    'servers.discover': beingBuilt,
    'servers.discovered': beingBuilt,
    'servers.backup': beingBuilt,
    'servers.command': beingBuilt,
    'servers.backupSettings': beingBuilt,
    'servers.updateBackupSettings': beingBuilt,
    'servers.takePassword': beingBuilt,
  }
}
