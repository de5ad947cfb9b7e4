import { z } from 'zod'
import { confirmationSchema } from '../model/plan.ts'
import { siteNameSchema } from '../model/site.ts'
import { preferencesSchema } from './settings.ts'

/** Shell → engine, over the utility process's own channel. Ports travel beside the message. */
export const toEngineSchema = z.discriminatedUnion('type', [
  /** With the private port. */
  z.object({ type: z.literal('start'), homePath: z.string(), version: z.string() }),
  /** With the port of the window's client. */
  z.object({ type: z.literal('window-port') }),
])

/** Engine → shell, over the private port. */
export const fromEnginePrivateSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('ready') }),
  z.object({ type: z.literal('confirm'), confirmation: confirmationSchema }),
  z.object({ type: z.literal('keyring-wrap'), id: z.int(), key: z.base64() }),
  z.object({ type: z.literal('keyring-unwrap'), id: z.int(), wrapped: z.base64() }),
  /** Once started and whenever it was changed: window frame and confirmation window follow it too. */
  z.object({ type: z.literal('theme'), theme: preferencesSchema.shape.theme.unwrap() }),
  /** Of the preferences, once started and whenever they were changed. */
  z.object({ type: z.literal('background'), stayInTray: z.boolean(), startAtLogin: z.boolean() }),
  /** The names of the sites, for the menu. */
  z.object({ type: z.literal('sites'), names: z.array(siteNameSchema) }),
  /** The line of the tray's menu: "Next: testsite Tue 24 Nov 03:02 UTC". */
  z.object({ type: z.literal('nights'), text: z.string().max(300) }),
  /** For the desktop's notifications: a night or a proof that failed. A click opens the site. */
  z.object({ type: z.literal('notice'), site: z.string(), title: z.string(), text: z.string() }),
  z.object({ type: z.literal('stopped') }),
])

/** Shell → engine, over the private port. */
export const toEnginePrivateSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('confirm-answer'), id: z.string(), accepted: z.boolean() }),
  z.object({ type: z.literal('keyring-answer'), id: z.int(), ok: z.boolean(), value: z.base64() }),
  z.object({ type: z.literal('keyring-state'), available: z.boolean() }),
  z.object({ type: z.literal('shut-down') }),
])

export type ToEngine = z.infer<typeof toEngineSchema>
export type FromEnginePrivate = z.infer<typeof fromEnginePrivateSchema>
export type ToEnginePrivate = z.infer<typeof toEnginePrivateSchema>
