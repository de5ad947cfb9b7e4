import { app } from 'electron'
import { autostartEntry, autostartFile, setAutostart } from './autostart.ts'

/** The argument of a start that shows no window. */
export const HIDDEN = '--hidden'

/** Whether this start is one at login. */
export function isHiddenStart(): boolean {
  return process.argv.includes(HIDDEN) || (process.platform === 'darwin' && app.getLoginItemSettings().wasOpenedAtLogin)
}

/** Starts the installed app at login, or no longer. While developing there is nothing that could be started. */
export function setLoginStart(enabled: boolean): void {
  if (!app.isPackaged) return
  if (process.platform === 'linux') {
    // Electron knows no login items there; every desktop knows autostart files
    const entry = enabled ? autostartEntry(process.env.APPIMAGE ?? process.execPath, process.env.BACKUP_DESK_HOME ?? null) : null
    setAutostart(autostartFile(), entry).catch((error) => console.error('Start at login could not be set:', error))
  } else {
    app.setLoginItemSettings({ openAtLogin: enabled, args: [HIDDEN] })
  }
}
