import type { Command } from 'commander'
import { checkConfirm, listNights, previewNights, runNights, type SetNightsOptions, setNights } from './commands/nights.ts'
import { checkRemove, pinBackup, removeBackup } from './commands/pin.ts'
import type { Run } from './run.ts'

/** `zbd nights …`, and what keeps backups out of their rotation. */
export function addNightCommands(program: Command, run: Run): void {
  const nights = program.command('nights').description('nightly backups: list them, run what is due, look ahead, set them')
  nights
    .command('list', { isDefault: true })
    .description('list the nights of all sites; exit code 3 when one is missed')
    .action(() => run(program, null, listNights))
  nights
    .command('run')
    .description('do what is due now, then prove backups: for cron and systemd timers')
    .action(() => run(program, null, runNights))
  nights
    .command('preview')
    .description('show which files the coming nights write, and what they replace')
    .argument('<site>')
    .option('--nights <number>', 'how many (default: 14)')
    .option('--to <repository>', 'as if they wrote there (default: where they do)')
    .action((site: string, options: { nights?: string; to?: string }) =>
      run(program, null, (session) => previewNights(session, site, options)),
    )
  nights
    .command('set')
    .description('switch the nights of a site on or off; what is not named stays as it is')
    .argument('<site>')
    .option('--at <time>', 'from this time of the UTC day on, HH:MM (first: 03:00)')
    .option('--to <repository>', 'vault, server or filestore (first: vault)')
    .option('--database-only', 'leave the media out')
    .option('--with-media', 'database and media')
    .option('--proof-minutes <number>', 'minutes for proving backups afterwards, 0 for none (first: 20)')
    .option('--off', 'switch them off')
    .option('--confirm <site>', 'names the site once more: for nights that write onto the server or into the filestore')
    .action((site: string, options: SetNightsOptions) => {
      checkConfirm('nights set', site, options.confirm)
      return run(program, options.confirm ?? '', (session) => setNights(session, site, options))
    })

  program
    .command('pin')
    .description('keep a backup in the vault, outside of the rotation')
    .argument('<site>')
    .argument('<name>')
    .option('--from <repository>', 'vault, server or filestore (default: the first that has it)')
    .action((site: string, name: string, options: { from?: string }) =>
      run(program, null, (session) => pinBackup(session, site, name, options)),
    )
  program
    .command('remove')
    .description('delete a pinned or safety backup from the vault')
    .argument('<site>')
    .argument('<name>')
    .option('--confirm <site>', 'delete it; names the site once more')
    .action((site: string, name: string, options: { confirm?: string }) => {
      checkRemove(site, name, options.confirm)
      return run(program, options.confirm ?? '', (session) => removeBackup(session, site, name))
    })
}
