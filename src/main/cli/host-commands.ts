import type { Command } from 'commander'
import { type AcceptOptions, acceptHost, checkForget, forgetHost, listHosts } from './commands/hosts.ts'
import type { Run } from './run.ts'

/** `zbd hosts …` */
export function addHostCommands(program: Command, run: Run): void {
  const hosts = program.command('hosts').description('host keys of SSH servers: list those accepted here, accept or forget one')
  hosts
    .command('list', { isDefault: true })
    .description('list the keys that were accepted here')
    .action(() => run(program, null, listHosts))
  hosts
    .command('accept')
    .description('accept the key of a host, when it shows the one that is named')
    .argument('<host>', 'HOST or HOST:PORT, or an alias of ~/.ssh/config')
    .requiredOption('--fingerprint <fingerprint>', 'SHA256:…, as ssh-keygen -lf prints it on the server')
    .option('--site <site>', 'go the way of this site: through its jump hosts')
    .action((place: string, options: AcceptOptions) => run(program, null, (session) => acceptHost(session, place, options)))
  hosts
    .command('forget')
    .description('forget a key that was accepted here, e.g. because the server was set up anew')
    .argument('<host>', 'HOST or HOST:PORT, as "zbd hosts" lists it')
    .option('--confirm <host>', 'names the host once more')
    .action((place: string, { confirm }: { confirm?: string }) => {
      checkForget(place, confirm)
      return run(program, confirm ?? '', (session) => forgetHost(session, place))
    })
}
