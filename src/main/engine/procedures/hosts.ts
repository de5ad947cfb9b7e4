import { randomUUID } from 'node:crypto'
import type { EngineContext } from '#engine/foundation/context.ts'
import type { Handlers } from '#engine/router.ts'
import type { servers as area } from '#shared/contract/servers.ts'

type HostsArea = Pick<typeof area, Extract<keyof typeof area, `hosts.${string}`>>

/** Host keys of SSH servers. */
export function hostsProcedures({ ssh, confirm }: EngineContext): Handlers<HostsArea> {
  return {
    'hosts.list': async () => ({ hosts: await ssh.hostKeys.list() }),
    'hosts.accept': (key) => ssh.hostKeys.accept(key),
    'hosts.aliases': async () => ({ aliases: await ssh.aliases() }),
    'hosts.forget': async ({ host, port }) => {
      const accepted = (await ssh.hostKeys.list()).filter((key) => key.host === host && key.port === port)
      if (accepted.length === 0) return { forgotten: false }
      const confirmed = await confirm({
        id: randomUUID(),
        title: 'Confirm forgetting a host key',
        question: `Forget the key of the SSH server ${host}?`,
        text: 'Do this when the server was set up anew. The next connection shows the key that it has then, to be compared and accepted.',
        facts: [
          { label: 'Forgotten', text: accepted.map(({ type, fingerprint }) => `${type} ${fingerprint}`).join(', ') },
          { label: 'Stays', text: 'sites, passwords and backups; what ~/.ssh/known_hosts says of the server' },
          { label: 'Way back', text: 'accept the key that the server shows' },
        ],
        typedName: host,
        action: `Forget ${host}`,
        planLabel: '',
      })
      return { forgotten: confirmed && (await ssh.hostKeys.forget(host, port)) }
    },
  }
}
