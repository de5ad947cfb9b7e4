import { app, type Session } from 'electron'
import { APP_ORIGIN } from './places.ts'
import { devServer } from './protocol.ts'

/** No page of ours goes anywhere, opens anything or embeds anything, whatever script may run in it. */
export function lockDownAllContents(): void {
  app.on('web-contents-created', (_event, contents) => {
    // while developing, a page may load itself again
    const isReload = (url: string) => devServer !== null && url === contents.getURL()
    contents.on('will-frame-navigate', (event) => {
      if (!isReload(event.url)) event.preventDefault()
    })
    contents.on('will-redirect', (event) => event.preventDefault())
    contents.on('will-attach-webview', (event) => event.preventDefault())
    contents.setWindowOpenHandler(() => ({ action: 'deny' }))
  })
}

/** No permission, no device, no download, no request to anywhere but our own files: in every session there is. */
export function lockDownAllSessions(): void {
  app.on('session-created', lockDown)
}

function lockDown(session: Session): void {
  session.setPermissionRequestHandler((_contents, _permission, decide) => decide(false))
  session.setPermissionCheckHandler(() => false)
  session.setDevicePermissionHandler(() => false)
  session.on('will-download', (event) => event.preventDefault())
  session.webRequest.onBeforeRequest((details, decide) => decide({ cancel: !isOurs(details.url) }))
}

function isOurs(address: string): boolean {
  if (address.startsWith(`${APP_ORIGIN}/`) || address.startsWith('devtools://') || address.startsWith('data:image/')) return true
  return devServer !== null && new URL(address).host === devServer.host
}
