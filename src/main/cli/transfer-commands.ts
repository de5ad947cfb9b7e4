import type { Command } from 'commander'
import { limitTransfers, readLimit } from './commands/limit.ts'
import { type CopyOptions, copyBackup, readDirection, type SyncOptions, syncBackups } from './commands/transfer.ts'
import type { Run } from './run.ts'

const CONFIRM = 'run it; names the site once more: for everything but a fetch into the vault'

/** `zbd copy`, `zbd sync`, `zbd limit`. */
export function addTransferCommands(program: Command, run: Run): void {
  program
    .command('copy')
    .description('copy one backup between vault, server and filestore, as it is; an interrupted copy goes on where it stopped')
    .argument('<site>')
    .argument('<name>')
    .requiredOption('--from <repository>', 'vault, server or filestore')
    .requiredOption('--to <repository>', 'vault, server or filestore')
    .option('--timestamp <moment>', 'only the backup of that moment, as "zbd list" has it')
    .option('--replace-other', 'also in place of another backup of the same moment, which is pinned in the vault first')
    .option('--plan', 'show what would happen; change nothing')
    .option('--confirm <site>', CONFIRM)
    .action((site: string, name: string, options: CopyOptions) => {
      const direction = readDirection('copy', site, options)
      return run(program, options.confirm ?? '', (session) => copyBackup(session, site, name, direction, options))
    })

  program
    .command('sync')
    .description('bring one repository of a site in step with another, the newest backup first')
    .argument('<site>')
    .requiredOption('--from <repository>', 'vault, server or filestore')
    .requiredOption('--to <repository>', 'vault, server or filestore')
    .option('--newest <number>', 'only so many, the newest')
    .option('--delete', 'delete rotation slots there that the source does not have')
    .option('--plan', 'show what would happen; change nothing')
    .option('--confirm <site>', CONFIRM)
    .action((site: string, options: SyncOptions) => {
      const direction = readDirection('sync', site, options)
      return run(program, options.confirm ?? '', (session) => syncBackups(session, site, direction, options))
    })

  program
    .command('limit')
    .description('show or change how much of the line all transfers together may take, those of the window too')
    .argument('[kib]', 'KiB a second, or off')
    .action((written: string | undefined) => {
      const limit = readLimit(written)
      return run(program, null, (session) => limitTransfers(session, limit))
    })
}
