import type { Command } from 'commander'
import { discoverSites, type ReachOptions, testSite } from './commands/connections.ts'
import { checkServer, runOnServer, type ServerOptions, takePassword } from './commands/server.ts'
import { addSite, listSites, removeSite, showSite } from './commands/sites.ts'
import { wrongUse } from './exit.ts'
import type { Run } from './run.ts'

function collect(value: string, previous: string[] | undefined): string[] {
  return [...(previous ?? []), value]
}

function addReachOptions(command: Command): Command {
  return command
    .option('--jump <host>', 'go through [USER@]HOST[:PORT]; may be repeated, the nearest first', collect)
    .option('--key <file>', 'the key to log in with; its passphrase from --password-file')
    .option('--command <path>', 'Zotonic’s command on the server (default: looked for)')
    .option('--run-as <user>', 'who it runs as, by sudo (default: who logs in, else who owns it)')
}

/** `zbd sites …` */
export function addSiteCommands(program: Command, run: Run): void {
  const sites = program.command('sites').description('list the sites; add, show or remove one')
  sites
    .command('list', { isDefault: true })
    .description('list the sites')
    .action(() => run(program, null, listSites))
  addReachOptions(
    sites
      .command('add')
      .description('add a site from a site.json, or from what its server tells; its passwords go to the store of passwords')
      .option('--file <file>', 'the site.json; - for standard input. With --discover: what is to be other than found')
      .option('--discover <host>', 'look at this server, [USER@]HOST[:PORT] or an alias of ~/.ssh/config')
      .option('--site <name>', 'the name of the site there'),
  )
    .option('--confirm <site>', 'names the site once more: when its nights write onto the server or into the filestore')
    .action((options: ReachOptions & { file?: string; discover?: string; site?: string; confirm?: string }) => {
      if (options.file === undefined && options.discover === undefined) throw wrongUse('sites add: name --file or --discover.')
      return run(program, options.confirm ?? '', (session) => addSite(session, options))
    })
  sites
    .command('show')
    .description('show the settings of a site')
    .argument('<site>')
    .action((site: string) => run(program, null, (session) => showSite(session, site)))
  sites
    .command('remove')
    .description('forget a site and its stored passwords; database, server folder and backups stay')
    .argument('<site>')
    .action((site: string) => run(program, null, (session) => removeSite(session, site)))
}

/** `zbd test`, `zbd discover`, `zbd server`. */
export function addServerCommands(program: Command, run: Run): void {
  program
    .command('test')
    .description('try every connection of a site step by step; exit code 3 when a step failed')
    .argument('<site>')
    .action((site: string) => run(program, null, (session) => testSite(session, site)))
  addReachOptions(
    program
      .command('discover')
      .description('look by SSH which sites a server has, and what they are set to; changes nothing')
      .argument('<host>', '[USER@]HOST[:PORT], or an alias of ~/.ssh/config'),
  ).action((host: string, options: ReachOptions) => run(program, null, (session) => discoverSites(session, host, options)))
  program
    .command('server')
    .description('run Zotonic’s command on the server of a site, or see and change what its mod_backup is set to')
    .argument('<site>')
    .argument('<action>', 'status, flush, restart or settings')
    .option('--set <key=value>', 'with settings: change one; may be repeated', collect)
    .option('--confirm <site>', 'with --set: names the site once more')
    .action((site: string, action: string, options: ServerOptions) => {
      checkServer(site, action, options)
      return run(program, action === 'settings' ? (options.confirm ?? '') : null, (session) =>
        runOnServer(session, site, action, options),
      )
    })
}

/** `zbd password from-site` */
export function addSitePassword(password: Command, program: Command, run: Run): void {
  password
    .command('from-site')
    .description('take the password that a site has in its database, if it opens the newest encrypted backup; never shown')
    .argument('<site>')
    .action((site: string) => run(program, null, (session) => takePassword(session, site)))
}
