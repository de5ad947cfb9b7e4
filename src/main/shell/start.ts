import { join } from 'node:path'
import { app, dialog, nativeTheme } from 'electron'
import { defaultHomePath } from '#engine/foundation/home.ts'
import type { WindowCommand } from '#shared/contract/bridge.ts'
import { createBackground } from './background.ts'
import { createConfirmations } from './confirmation.ts'
import { handleDialogs } from './dialogs.ts'
import { createEngineProcess } from './engine-process.ts'
import { keyringAvailable } from './keyring.ts'
import { lockDownAllContents, lockDownAllSessions } from './lock-down.ts'
import { HIDDEN } from './login-start.ts'
import { installMenu } from './menu.ts'
import { showNotice } from './notices.ts'
import { registerAppScheme, serveApp } from './protocol.ts'
import { applyTheme, rememberedTheme } from './theme.ts'
import { createMainWindow, type MainWindow } from './window.ts'

/** Starts the shell: protocol and lock-down first, then the engine beside the window. */
export function startShell(): void {
  const home = defaultHomePath()
  app.setPath('userData', join(home, 'electron'))
  // by this name Windows knows whose notifications they are
  app.setAppUserModelId('com.zotonic.backup-desk')
  // one window for a home folder: a second start shows the first one's
  if (!app.requestSingleInstanceLock()) {
    app.quit()
    return
  }
  registerAppScheme()
  lockDownAllContents()
  lockDownAllSessions()
  app.whenReady().then(
    () => open(home),
    (error) => fail(error),
  )
}

function open(home: string): void {
  let window: MainWindow | null = null
  let isQuitting = false
  applyTheme(rememberedTheme(home))
  const send = (command: WindowCommand) => window?.send(command)
  const confirmations = createConfirmations(() => window?.browserWindow ?? null)
  /** What the window is to show once its page is there. */
  let waiting: WindowCommand | null = null
  const background = createBackground(() => openWindow())
  const engine = createEngineProcess({
    home,
    version: app.getVersion(),
    keyringAvailable,
    confirm: confirmations.ask,
    onTheme: applyTheme,
    onBackground: background.prefer,
    onNights: background.tellNights,
    onNotice: (notice) => showNotice(notice, (site) => openWindow({ command: 'site', site })),
    onSites: (names) => installMenu(send, names),
    onStarted: () => window?.connect(engine),
    onGone: () => {
      confirmations.cancelAll()
      window?.engineGone()
    },
    onHopeless: (lastWords) => {
      dialog.showErrorBox(
        'Backup Desk cannot work',
        `The part that does the work stops again and again.\n\n${lastWords}\n\nThe log is in ${join(home, 'logs')}.`,
      )
      app.exit(1)
    },
  })
  const show = () => {
    window = createMainWindow({
      onReady: (ready) => {
        ready.connect(engine)
        if (waiting) ready.send(waiting)
        waiting = null
      },
      onClosed: () => {
        window = null
        if (!isQuitting) background.windowClosed()
      },
      onHopeless: () => fail(new Error('The window’s page stops again and again.')),
    })
    background.windowOpened()
  }
  const openWindow = (command: WindowCommand | null = null) => {
    if (window) {
      window.focus()
      if (command) window.send(command)
    } else {
      waiting = command
      show()
    }
  }
  serveApp()
  handleDialogs(() => window?.browserWindow ?? null)
  installMenu(send, [])
  nativeTheme.on('updated', () => window?.paintBackground())
  if (!background.isHidden) show()

  app.on('second-instance', (_event, args) => {
    // a desktop without a tray has no other way to the window
    if (!args.includes(HIDDEN)) openWindow()
  })
  app.on('activate', () => {
    if (!window) show()
  })
  app.on('window-all-closed', () => {
    if (process.platform !== 'darwin' && !background.stays) app.quit()
  })
  let stopped = false
  app.on('before-quit', (event) => {
    isQuitting = true
    if (stopped) return
    event.preventDefault()
    engine.stop().finally(() => {
      stopped = true
      app.quit()
    })
  })
}

function fail(error: unknown): void {
  dialog.showErrorBox('Backup Desk did not start', error instanceof Error ? error.message : String(error))
  app.exit(1)
}
