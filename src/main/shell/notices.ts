import { Notification } from 'electron'
import type { FromEnginePrivate } from '#shared/contract/host.ts'
import { places } from './places.ts'

export type Notice = Omit<Extract<FromEnginePrivate, { type: 'notice' }>, 'type'>

/** What is on the desktop: a notification that nothing holds is collected, and its click lost. */
const shown = new Set<Notification>()

/** Tells the desktop. @param open opens a site's page */
export function showNotice({ site, title, text }: Notice, open: (site: string) => void): void {
  if (!Notification.isSupported()) return
  const notification = new Notification({ title, body: text, icon: places.icon })
  shown.add(notification)
  notification.on('click', () => open(site))
  notification.on('close', () => shown.delete(notification))
  notification.show()
}
