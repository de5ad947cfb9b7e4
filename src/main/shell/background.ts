import { app, Menu, Notification, nativeImage, Tray } from 'electron'
import { isHiddenStart, setLoginStart } from './login-start.ts'
import { places } from './places.ts'

const ICON_PIXELS = process.platform === 'darwin' ? 18 : 22

/** The preferences of it, as the engine tells them. */
export interface BackgroundPreferences {
  stayInTray: boolean
  startAtLogin: boolean
}

/** Life without a window: the tray, and the start at login. */
export interface Background {
  /** Without a window the app runs on. */
  readonly stays: boolean
  /** Whether a window is to be shown at the start. */
  readonly isHidden: boolean
  prefer(preferences: BackgroundPreferences): void
  /** The line of the menu that says how the nights stand. */
  tellNights(text: string): void
  windowOpened(): void
  /** Says once where the app has gone: a desktop may have no place for tray icons. */
  windowClosed(): void
}

/** @param open shows the window */
export function createBackground(open: () => void): Background {
  let preferences: BackgroundPreferences | null = null
  let isHidden = isHiddenStart()
  let nights = ''
  let tray: Tray | null = null
  let isTold = false

  const stays = () => isHidden || preferences?.stayInTray === true

  function refresh(): void {
    if (!stays()) {
      tray?.destroy()
      tray = null
      return
    }
    tray ??= makeTray()
    tray.setToolTip(nights === '' ? 'Backup Desk' : `Backup Desk\n${nights}`)
    tray.setContextMenu(
      Menu.buildFromTemplate([
        ...(nights === '' ? [] : [{ label: nights, enabled: false }]),
        { label: 'Open Backup Desk', click: open },
        { type: 'separator' },
        { label: 'Quit', click: () => app.quit() },
      ]),
    )
  }

  function makeTray(): Tray {
    const made = new Tray(nativeImage.createFromPath(places.icon).resize({ height: ICON_PIXELS }))
    made.on('click', open)
    return made
  }

  refresh()
  return {
    get stays() {
      return stays()
    },
    get isHidden() {
      return isHidden
    },
    prefer(now) {
      // at the start only what is wanted is set: another home folder's wish is not taken back
      if (now.startAtLogin !== (preferences?.startAtLogin ?? false)) setLoginStart(now.startAtLogin)
      preferences = now
      refresh()
    },
    tellNights(text) {
      nights = text
      refresh()
    },
    windowOpened() {
      isHidden = false
      refresh()
    },
    windowClosed() {
      if (isTold || !stays() || process.platform === 'darwin' || !Notification.isSupported()) return
      isTold = true
      new Notification({
        title: 'Backup Desk runs on',
        body: 'Its nights go on in the background. Open it from the tray, or start it again to see its window.',
        icon: places.icon,
      }).show()
    },
  }
}
