import { Command, CommanderError } from 'commander'
import { type AppError, toAppError } from '#shared/errors.ts'
import { type BackupOptions, checkOnServer, makeBackup } from './commands/backup.ts'
import { decryptFiles } from './commands/decrypt.ts'
import { runDemo } from './commands/demo.ts'
import { type DrillOptions, drillBackup } from './commands/drill.ts'
import { listJobs, showJob } from './commands/jobs.ts'
import { listBackups } from './commands/list.ts'

import { generatePassword, setPassword, testPassword } from './commands/password.ts'

import { checkPlanOptions, type RestoreOptions, restoreBackup } from './commands/restore.ts'

import { backUpOnServer } from './commands/server.ts'
import { verifyBackups } from './commands/verify.ts'
import { dropKept, listKept, undoRestore } from './commands/way-back.ts'
import { EXIT, exitCodeOf, type Outcome, wrongUse } from './exit.ts'
import { addHostCommands } from './host-commands.ts'
import { addNightCommands } from './night-commands.ts'
import type { Run } from './run.ts'
import { addServerCommands, addSiteCommands, addSitePassword } from './server-commands.ts'
import { type CommonOptions, openSession, type Session } from './session.ts'
import { processTerminal, type Terminal } from './terminal.ts'
import { addTransferCommands } from './transfer-commands.ts'

/** The first SIGINT cancels cleanly; a second one ends at once. */
function interruptSignal(): AbortSignal {
  const controller = new AbortController()
  const interrupt = () => {
    if (controller.signal.aborted) process.exit(EXIT.cancelled)
    controller.abort()
  }
  process.on('SIGINT', interrupt)
  process.on('SIGTERM', interrupt)
  return controller.signal
}

/**
 * Runs one `zbd` command.
 * @param args what stands after `zbd`
 * @returns the exit code (docs/zbd.md)
 */
export async function runCli(args: string[], terminal: Terminal = processTerminal()): Promise<number> {
  const json = args.includes('--json')
  const interrupted = interruptSignal()
  let code: number = EXIT.done

  /** Runs a command in a session of its own and prints its outcome. */
  async function run(
    program: Command,
    confirmedName: string | null,
    command: (session: Session) => Promise<Outcome>,
  ): Promise<void> {
    const session = await openSession(terminal, program.opts<CommonOptions>(), __APP_VERSION__, confirmedName, interrupted)
    try {
      const outcome = await command(session)
      terminal.out(json ? `${JSON.stringify({ ok: true, result: outcome.result })}\n` : outcome.text)
      code = outcome.problem ? EXIT.problem : EXIT.done
    } finally {
      await session.close()
    }
  }

  try {
    await buildProgram(terminal, json, run).parseAsync(args, { from: 'user' })
    return code
  } catch (error) {
    if (error instanceof CommanderError) {
      if (error.exitCode === 0) return EXIT.done
      return report(wrongUse(error.message.replace(/^error: /, '')))
    }
    return report(toAppError(error))
  }

  function report(error: AppError): number {
    if (json) terminal.out(`${JSON.stringify({ ok: false, error: error.toData() })}\n`)
    else terminal.err(`zbd: ${error.message}\n${error.hint ? `${error.hint}\n` : ''}`)
    return exitCodeOf(error)
  }
}

function collect(value: string, previous: string[] | undefined): string[] {
  return [...(previous ?? []), value]
}

function buildProgram(terminal: Terminal, json: boolean, run: Run): Command {
  const program = new Command('zbd')
  program
    .description('Backup Desk for Zotonic, from a terminal')
    .version(__APP_VERSION__)
    .option('--home <folder>', 'home folder (default: BACKUP_DESK_HOME, else the place of this system)')
    .option('--json', 'print one JSON document: { "ok": true, "result" } or { "ok": false, "error" }')
    .option(
      '--passphrase-file <file>',
      'passphrase of the store of passwords; - for standard input (else BACKUP_DESK_PASSPHRASE)',
    )
    .option('--password-file <file>', 'password for .enc files; - for standard input; may be repeated, tried in order', collect)
    .configureHelp({ showGlobalOptions: true })
    .configureOutput({ writeOut: (text) => terminal.out(text), writeErr: (text) => json || terminal.err(text) })
    .showHelpAfterError('(add --help for what is possible)')
    .addHelpText(
      'after',
      '\nExit codes: 0 done, 1 failed, 2 wrong use, 3 found a problem (not verified, not safe), 130 cancelled',
    )
    .exitOverride()

  addSiteCommands(program, run)
  addServerCommands(program, run)

  program
    .command('list')
    .description('list the backups of a site, or of any folder with backups')
    .argument('[site]')
    .option('--folder <folder>', 'a folder with a backup.json')
    .option('--in <repository>', 'vault, server, filestore or all (default: all)')
    .action((site: string | undefined, options: { folder?: string; in?: string }) =>
      run(program, null, (session) => listBackups(session, site, options)),
    )

  program
    .command('backup')
    .description('back up a site now: database, media and configuration')
    .argument('<site>')
    .option('--database-only', 'leave the media out')
    .option('--to <repository>', 'vault, server or filestore (default: vault)')
    .option(
      '--engine <engine>',
      'auto, built-in, pg_dump or server (its own pg_dump, over SSH), for this backup (default: of the site)',
    )
    .option('--compression <level>', '1 (fast) to 9 (small), for this backup (default: of the site)')
    .option('--on-server', 'have Zotonic make one on the server instead, and follow it until the server’s index shows it')
    .action((site: string, options: BackupOptions) => {
      checkOnServer(options)
      return run(program, null, (session) =>
        options.onServer ? backUpOnServer(session, site) : makeBackup(session, site, options),
      )
    })

  addNightCommands(program, run)
  addHostCommands(program, run)
  addTransferCommands(program, run)

  program
    .command('verify')
    .description('verify a backup of a site, or the backups in a folder; exit code 3 when not verified')
    .argument('[site]', 'the site; with --folder the name of a backup (default: all)')
    .argument('[name]', 'the name of the backup')
    .option('--folder <folder>', 'a folder with a backup.json')
    .option('--level <level>', '1: the hash fits; 2: it opens and reads to the end; 3: it restores', '2')
    .option('--from <repository>', 'vault, server, filestore or all (default: the first that has it)')
    .action(
      (first: string | undefined, second: string | undefined, options: { folder?: string; level?: string; from?: string }) =>
        run(program, null, (session) =>
          verifyBackups(session, { ...(first ? { first } : {}), ...(second ? { second } : {}) }, options),
        ),
    )

  program
    .command('drill')
    .description('restore a backup into a scratch database and look at it; exit code 3 when it is not well')
    .argument('[site]', 'the site; with --folder the name of a backup')
    .argument('[name]', 'the name of the backup (default: the newest)')
    .option('--folder <folder>', 'a folder with a backup.json')
    .option('--from <repository>', 'vault, server or filestore (default: the first that has it)')
    .option('--clean', 'remove the scratch databases that failed drills kept')
    .action((first: string | undefined, second: string | undefined, options: DrillOptions) =>
      run(program, null, (session) =>
        drillBackup(
          session,
          [first, second].filter((name) => name !== undefined),
          options,
        ),
      ),
    )

  program
    .command('restore')
    .description('restore a backup onto its live site; the schema as it was is kept')
    .argument('<site>')
    .argument('<name>')
    .option('--from <repository>', 'vault, server or filestore (default: the first that has it)')
    .option('--parts <parts>', 'out of database,files,config,security', 'database,files')
    .option('--of <site>', 'restore a backup of that site: a staging copy')
    .option('--schema <name>', 'write the database into this schema, which must be free')
    .option('--without-owners', 'all belongs to the database user of the site')
    .option('--without-grants', 'leave out who may do what')
    .option('--loader <where>', 'here: from this computer; server: by psql on the site’s server, over SSH', 'here')
    .option('--no-safety-backup', 'do not back the site up first')
    .option('--plan', 'show what would happen; change nothing')
    .option('--confirm <site>', 'run it; names the site once more')
    .action((site: string, name: string, options: RestoreOptions) => {
      checkPlanOptions('restore', site, options)
      return run(program, options.confirm ?? '', (session) => restoreBackup(session, site, name, options))
    })

  program
    .command('kept')
    .description('list what restores set aside: each can be undone or dropped')
    .argument('<site>')
    .action((site: string) => run(program, null, (session) => listKept(session, site)))

  program
    .command('undo')
    .description('make a kept state the live one again; what is live now is kept')
    .argument('<site>')
    .argument('[kept]', 'as "zbd kept" lists it (default: the newest)')
    .option('--plan', 'show what would happen; change nothing')
    .option('--confirm <site>', 'run it; names the site once more')
    .action((site: string, kept: string | undefined, options: { plan?: boolean; confirm?: string }) => {
      checkPlanOptions('undo', site, options)
      return run(program, options.confirm ?? '', (session) => undoRestore(session, site, kept, options))
    })

  program
    .command('drop')
    .description('delete a kept state for good')
    .argument('<site>')
    .argument('<kept>', 'as "zbd kept" lists it')
    .option('--plan', 'show what would be deleted; change nothing')
    .option('--confirm <site>', 'delete it; names the site once more')
    .action((site: string, kept: string, options: { plan?: boolean; confirm?: string }) => {
      checkPlanOptions('drop', site, options)
      return run(program, options.confirm ?? '', (session) => dropKept(session, site, kept, options))
    })

  program
    .command('decrypt')
    .description('decrypt .enc files; the .enc files stay')
    .argument('<files...>')
    .option('--out <folder>', 'folder for the decrypted files (default: beside each file)')
    .option('--overwrite', 'replace files that exist')
    .action((files: string[], options: { out?: string; overwrite?: boolean }) =>
      run(program, null, (session) => decryptFiles(session, files, options)),
    )

  const password = program.command('password').description('the passwords of encrypted backups')
  password
    .command('generate')
    .description('print a new password of 140 random bits; it is kept nowhere')
    .action(() => run(program, null, generatePassword))
  password
    .command('set')
    .description('encrypt with another password from the next backup on; the one before is kept for older files')
    .argument('<site>')
    .option('--encrypt', 'turn encryption on too')
    .action((site: string, options: { encrypt?: boolean }) =>
      run(program, null, (session) => setPassword(session, site, options)),
    )
  password
    .command('test')
    .description('try the stored password, or that of --password-file, on the newest encrypted backups')
    .argument('<site>')
    .action((site: string) => run(program, null, (session) => testPassword(session, site)))
  addSitePassword(password, program, run)

  program
    .command('jobs')
    .description('list the jobs, or show one with its log')
    .argument('[id]')
    .action((id: string | undefined) =>
      run(program, null, (session) => (id === undefined ? listJobs(session) : showJob(session, id))),
    )

  program
    .command('demo')
    .description('the demo site: a real database and real backups on this computer only')
    .argument('[action]', 'start, stop, reset or remove', 'start')
    .action((action: string) => run(program, null, (session) => runDemo(session, action)))

  return program
}
