import { BrowserWindow, type IpcMainEvent, ipcMain } from 'electron'
import type { Confirmation } from '#shared/model/plan.ts'
import { deskWebPreferences } from './desk-session.ts'
import { APP_ORIGIN, places } from './places.ts'
import { pageColour } from './window.ts'

const WIDTH = 472

interface Open {
  confirmation: Confirmation
  window: BrowserWindow
  settle(accepted: boolean): void
}

/** The shell's own confirmation window: what the main page shows or sends has no say in it. */
export interface Confirmations {
  /** True only when the name was typed in that window and its button pressed. One after the other. */
  ask(confirmation: Confirmation): Promise<boolean>
  /** The engine that asked is gone: its questions are moot. */
  cancelAll(): void
}

export function createConfirmations(parent: () => BrowserWindow | null): Confirmations {
  let open: Open | null = null
  let turn: Promise<unknown> = Promise.resolve()
  let generation = 0

  const ofSender = (event: { sender: unknown; senderFrame: unknown }): Open | null =>
    open && event.sender === open.window.webContents && event.senderFrame === open.window.webContents.mainFrame ? open : null

  ipcMain.handle('confirm:read', (event) => ofSender(event)?.confirmation ?? null)
  ipcMain.on('confirm:fit', (event: IpcMainEvent, height: unknown) => {
    if (typeof height !== 'number' || !Number.isFinite(height)) return
    ofSender(event)?.window.setContentSize(WIDTH, Math.min(800, Math.max(200, Math.ceil(height))))
  })
  ipcMain.on('confirm:answer', (event: IpcMainEvent, typedName: unknown) => {
    const asked = ofSender(event)
    asked?.settle(typedName === asked.confirmation.typedName)
  })

  function show(confirmation: Confirmation): Promise<boolean> {
    const owner = parent()
    const window = new BrowserWindow({
      ...(owner ? { parent: owner, modal: true } : {}),
      width: WIDTH,
      height: 400,
      useContentSize: true,
      resizable: false,
      minimizable: false,
      maximizable: false,
      fullscreenable: false,
      title: confirmation.title,
      backgroundColor: pageColour(),
      show: false,
      autoHideMenuBar: true,
      webPreferences: deskWebPreferences(places.confirmPreload),
    })
    window.removeMenu()
    return new Promise((resolve) => {
      const settle = (accepted: boolean) => {
        if (open?.window !== window) return
        open = null
        resolve(accepted)
        window.destroy()
      }
      open = { confirmation, window, settle }
      window.on('closed', () => settle(false))
      window.webContents.on('render-process-gone', () => settle(false))
      window.once('ready-to-show', () => window.show())
      void window.loadURL(`${APP_ORIGIN}/confirm/confirm.html`)
    })
  }

  return {
    ask(confirmation) {
      const asked = generation
      const answer = turn.then(() => (asked === generation ? show(confirmation) : false))
      turn = answer.catch(() => false)
      return answer
    },
    cancelAll() {
      generation += 1
      open?.settle(false)
    },
  }
}
