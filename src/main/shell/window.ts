import { BrowserWindow, MessageChannelMain, nativeTheme } from 'electron'
import type { WindowCommand } from '#shared/contract/bridge.ts'
import { deskWebPreferences } from './desk-session.ts'
import type { EngineProcess } from './engine-process.ts'
import { APP_ORIGIN, places } from './places.ts'

/** This many deaths of the page within a minute are no accident. */
const HOPELESS = 5

/** The one main window. */
export interface MainWindow {
  readonly browserWindow: BrowserWindow
  /** Gives the page a port to the engine; called for each page load and each start of the engine. */
  connect(engine: EngineProcess): void
  engineGone(): void
  send(command: WindowCommand): void
  focus(): void
  paintBackground(): void
}

/** The colour behind a page that is not painted yet: `win` of the look. */
export function pageColour(): string {
  return nativeTheme.shouldUseDarkColors ? '#1A1D22' : '#F7F8FA'
}

export interface MainWindowEvents {
  /** The page was loaded and can take a port. */
  onReady(window: MainWindow): void
  onClosed(): void
  /** Its page died too often. */
  onHopeless(): void
}

export function createMainWindow(events: MainWindowEvents): MainWindow {
  const browserWindow = new BrowserWindow({
    width: 1280,
    height: 800,
    minWidth: 900,
    minHeight: 600,
    useContentSize: true,
    title: 'Backup Desk',
    icon: places.icon,
    backgroundColor: pageColour(),
    show: false,
    webPreferences: deskWebPreferences(places.preload),
  })
  const { webContents } = browserWindow
  const deaths: number[] = []
  let loaded = false

  const window: MainWindow = {
    browserWindow,
    connect(engine) {
      // the port goes to the top frame of our own page, and to no other
      if (!loaded || !engine.isRunning || !webContents.mainFrame.url.startsWith(`${APP_ORIGIN}/`)) return
      const { port1, port2 } = new MessageChannelMain()
      engine.connectWindow(port1)
      webContents.postMessage('desk:port', null, [port2])
    },
    engineGone: () => webContents.send('desk:engine-gone'),
    send: (command) => webContents.send('desk:command', command),
    focus() {
      if (browserWindow.isMinimized()) browserWindow.restore()
      browserWindow.focus()
    },
    paintBackground: () => browserWindow.setBackgroundColor(pageColour()),
  }

  webContents.on('did-start-loading', () => {
    loaded = false
  })
  webContents.on('did-finish-load', () => {
    loaded = true
    events.onReady(window)
  })
  webContents.on('render-process-gone', (_event, { reason }) => {
    if (reason === 'clean-exit') return
    deaths.push(Date.now())
    if (deaths.filter((at) => at > Date.now() - 60_000).length >= HOPELESS) events.onHopeless()
    else webContents.reload()
  })
  browserWindow.once('ready-to-show', () => browserWindow.show())
  browserWindow.on('closed', events.onClosed)
  void browserWindow.loadURL(`${APP_ORIGIN}/index.html`)
  return window
}
