import { z } from 'zod'
import { confirmationSchema } from '../model/plan.ts'

/**
 * What shell and engine tell each other. The engine's `parentPort` gets {@link shellToEngineSchema} with one
 * port each; everything else goes over the private port, which no page ever sees.
 */

const base64 = z.base64().max(64 * 1024)
const id = z.string().min(1).max(100)

/** On the engine's `parentPort`; each comes with one port. */
export const shellToEngineSchema = z.discriminatedUnion('type', [
  /** First message; its port is the private one. */
  z.object({
    type: z.literal('start'),
    homePath: z.string(),
    version: z.string(),
    program: z.literal('window'),
    /** Electron's `process.resourcesPath`. */
    resourcesPath: z.string(),
  }),
  /** Its port is the engine's end of the channel to a window (wire.ts). */
  z.object({ type: z.literal('window-port') }),
])

/** Private port, shell → engine. */
export const hostToEngineSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('confirm-answer'), id, accepted: z.boolean() }),
  /** `value`: base64 of the wrapped key, or of the key; empty when `ok` is false. */
  z.object({ type: z.literal('keyring-answer'), id, ok: z.boolean(), value: z.string().max(64 * 1024) }),
  /** Sent right after `start` and when it changes. */
  z.object({ type: z.literal('keyring-state'), available: z.boolean() }),
  z.object({ type: z.literal('shut-down') }),
])

/** Private port, engine → shell. */
export const engineToHostSchema = z.discriminatedUnion('type', [
  /** The engine has started and takes windows. */
  z.object({ type: z.literal('ready') }),
  z.object({ type: z.literal('confirm'), confirmation: confirmationSchema }),
  /** The engine no longer waits for an answer (cancelled, too late): the window closes. */
  z.object({ type: z.literal('confirm-withdrawn'), id }),
  z.object({ type: z.literal('keyring-wrap'), id, key: base64 }),
  z.object({ type: z.literal('keyring-unwrap'), id, wrapped: base64 }),
  /** At the start and when the preference changes. */
  z.object({ type: z.literal('theme'), theme: z.enum(['system', 'light', 'dark']) }),
  z.object({ type: z.literal('stopped') }),
])

export type ShellToEngine = z.infer<typeof shellToEngineSchema>
export type HostToEngine = z.infer<typeof hostToEngineSchema>
export type EngineToHost = z.infer<typeof engineToHostSchema>
