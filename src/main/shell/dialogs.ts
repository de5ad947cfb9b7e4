import { type BrowserWindow, dialog, type IpcMainInvokeEvent, ipcMain } from 'electron'
import { z } from 'zod'
import { APP_ORIGIN } from './places.ts'

const filesSchema = z.object({ title: z.string().max(200), endings: z.array(z.string().regex(/^[a-z0-9.]{1,16}$/)).max(16) })
const titleSchema = z.string().max(200)

/** The system's own dialogs for files and folders, for the main window's top frame only. */
export function handleDialogs(mainWindow: () => BrowserWindow | null): void {
  const windowOf = (event: IpcMainInvokeEvent): BrowserWindow => {
    const window = mainWindow()
    if (!window || event.senderFrame !== window.webContents.mainFrame || !event.senderFrame.url.startsWith(`${APP_ORIGIN}/`)) {
      throw new Error('Not for this sender')
    }
    return window
  }
  ipcMain.handle('desk:choose-files', async (event, options: unknown): Promise<string[]> => {
    const { title, endings } = filesSchema.parse(options)
    const filters =
      endings.length > 0
        ? [
            { name: endings.join(', '), extensions: endings },
            { name: 'All files', extensions: ['*'] },
          ]
        : []
    const { filePaths } = await dialog.showOpenDialog(windowOf(event), {
      title,
      filters,
      properties: ['openFile', 'multiSelections'],
    })
    return filePaths
  })
  ipcMain.handle('desk:choose-folder', async (event, title: unknown): Promise<string | null> => {
    const { filePaths } = await dialog.showOpenDialog(windowOf(event), {
      title: titleSchema.parse(title),
      properties: ['openDirectory', 'createDirectory'],
    })
    return filePaths[0] ?? null
  })
}
