import { mkdir, rename, rm, writeFile } from 'node:fs/promises'
import { homedir } from 'node:os'
import { dirname, join } from 'node:path'

/** Where desktops on Linux look for what starts at login (XDG Autostart). */
export function autostartFile(env: NodeJS.ProcessEnv = process.env): string {
  return join(env.XDG_CONFIG_HOME || join(homedir(), '.config'), 'autostart', 'backup-desk.desktop')
}

/**
 * The entry that starts a program hidden.
 * @param home the home folder, when it is not the usual one
 */
export function autostartEntry(program: string, home: string | null): string {
  const command = [...(home === null ? [] : ['env', quoted(`BACKUP_DESK_HOME=${home}`)]), quoted(program), '--hidden'].join(' ')
  return `[Desktop Entry]
Type=Application
Name=Backup Desk
Comment=Runs the nightly backups
Exec=${command.replaceAll('\\', '\\\\')}
Terminal=false
X-GNOME-Autostart-enabled=true
`
}

/** An argument as the key Exec takes it (Desktop Entry Specification, "The Exec key"). */
function quoted(argument: string): string {
  if (/[\n\r]/.test(argument)) throw new Error('A path with a line break cannot be started at login')
  return `"${argument.replace(/["`$\\]/g, '\\$&').replaceAll('%', '%%')}"`
}

/** Puts the entry in place whole, or takes it away. @param entry null: nothing starts at login */
export async function setAutostart(file: string, entry: string | null): Promise<void> {
  if (entry === null) return rm(file, { force: true })
  await mkdir(dirname(file), { recursive: true })
  const part = `${file}.${process.pid}.part`
  try {
    await writeFile(part, entry)
    await rename(part, file)
  } catch (error) {
    await rm(part, { force: true })
    throw error
  }
}
