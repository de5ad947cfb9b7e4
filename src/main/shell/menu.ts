import { app, Menu, type MenuItemConstructorOptions } from 'electron'
import type { WindowCommand } from '#shared/contract/bridge.ts'

/**
 * The native menu. Its items run the window's own commands by id. The page handles the keys itself, so that one
 * place decides what a key does; here they are shown only.
 * @param sites their names; the menu is made anew when they change
 */
export function installMenu(send: (command: WindowCommand) => void, sites: readonly string[]): void {
  const item = (label: string, command: string, accelerator?: string): MenuItemConstructorOptions => ({
    label,
    click: () => send({ command }),
    ...(accelerator ? { accelerator, registerAccelerator: false } : {}),
  })
  const letter = (label: string, command: string, key: string) => item(`${label} (${key})`, command)
  const site = (name: string, index: number): MenuItemConstructorOptions => ({
    label: name,
    click: () => send({ command: 'site', site: name }),
    ...(index < 9 ? { accelerator: `CmdOrCtrl+${index + 1}`, registerAccelerator: false } : {}),
  })
  const page = (label: string, tab: string, key: string) => item(`${label} (G ${key})`, `page-${tab}`)
  const isMac = process.platform === 'darwin'
  const template: MenuItemConstructorOptions[] = [
    ...(isMac ? [{ role: 'appMenu' } satisfies MenuItemConstructorOptions] : []),
    {
      label: '&File',
      submenu: [
        item('Add a site…', 'add-site'),
        item('Choose files to decrypt…', 'decrypt-choose'),
        { type: 'separator' },
        item('Preferences', 'preferences', 'CmdOrCtrl+,'),
        { type: 'separator' },
        isMac ? { role: 'close' } : { role: 'quit' },
      ],
    },
    { role: 'editMenu' },
    {
      label: '&Site',
      submenu: [
        item('Back up now', 'backup', 'CmdOrCtrl+B'),
        item('Check now', 'check-now', 'F5'),
        { type: 'separator' },
        page('Overview', 'overview', 'O'),
        page('Backups', 'backups', 'B'),
        page('Jobs', 'jobs', 'J'),
        page('Settings', 'settings', 'T'),
        ...(sites.length > 0 ? [{ type: 'separator' } satisfies MenuItemConstructorOptions, ...sites.map(site)] : []),
      ],
    },
    {
      label: '&Backup',
      submenu: [
        letter('Restore…', 'backup-restore', 'R'),
        letter('Drill', 'backup-drill', 'D'),
        letter('Verify all copies', 'backup-verify', 'V'),
        letter('Fetch', 'backup-fetch', 'F'),
        letter('Copy to…', 'backup-copy', 'C'),
        letter('Copy again…', 'backup-mend', 'A'),
        letter('Pin', 'backup-pin', 'P'),
        letter('Delete…', 'backup-delete', 'Del'),
        { type: 'separator' },
        item('Bring in step…', 'sync'),
        item('Coming nights', 'coming-nights'),
        item('Run the missed night now', 'run-missed'),
      ],
    },
    {
      label: '&View',
      submenu: [
        item('All sites', 'sites', 'CmdOrCtrl+0'),
        item('Decrypt files', 'decrypt', 'CmdOrCtrl+D'),
        item('All jobs', 'jobs', 'CmdOrCtrl+J'),
        item('Command palette', 'palette', 'CmdOrCtrl+K'),
        { type: 'separator' },
        { role: 'resetZoom' },
        { role: 'zoomIn' },
        { role: 'zoomOut' },
        { role: 'togglefullscreen' },
        ...(app.isPackaged ? [] : ([{ type: 'separator' }, { role: 'toggleDevTools' }] satisfies MenuItemConstructorOptions[])),
      ],
    },
    { role: 'windowMenu' },
  ]
  Menu.setApplicationMenu(Menu.buildFromTemplate(template))
}
