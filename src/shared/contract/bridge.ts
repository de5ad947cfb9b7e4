import { z } from 'zod'
import type { AppErrorData } from '../errors.ts'
import type { EngineEvent } from './events.ts'

/** What the native menu asks of the window. `site-1` to `site-9`: the site at that place in the sidebar. */
export const windowCommandSchema = z.enum([
  'palette',
  'all-sites',
  'site-1',
  'site-2',
  'site-3',
  'site-4',
  'site-5',
  'site-6',
  'site-7',
  'site-8',
  'site-9',
  'add-site',
  'open-demo',
  'page-overview',
  'page-backups',
  'page-jobs',
  'page-settings',
  'back-up-now',
  'decrypt-files',
  'jobs',
  'preferences',
  'check-now',
])

export type WindowCommand = z.infer<typeof windowCommandSchema>

/** `restarting`: the engine died and a new one is on its way; its running jobs were interrupted. */
export const engineStateSchema = z.enum(['starting', 'ready', 'restarting'])

export type EngineState = z.infer<typeof engineStateSchema>

export const chooseFilesOptionsSchema = z.strictObject({
  title: z.string().max(200).optional(),
  /** Several files at once; default true. */
  multiple: z.boolean().optional(),
  filters: z
    .array(z.strictObject({ name: z.string().max(100), extensions: z.array(z.string().max(20)).max(20) }))
    .max(10)
    .optional(),
})

export const chooseFolderOptionsSchema = z.strictObject({
  title: z.string().max(200).optional(),
  defaultPath: z.string().max(4096).optional(),
})

export type ChooseFilesOptions = z.infer<typeof chooseFilesOptionsSchema>
export type ChooseFolderOptions = z.infer<typeof chooseFolderOptionsSchema>

/** How a call ended. Plain data, because an error loses everything but its message on the way into the page. */
export type InvokeResult = { ok: true; output: unknown } | { ok: false; error: AppErrorData }

/** `window.desk`: all that the page gets from outside. */
export interface DeskBridge {
  /**
   * Calls a procedure of the contract. Never rejects: an error comes as data, `engine-restarted` when the
   * engine died before it answered. Calls made before the engine is there wait for it.
   */
  invoke(name: string, input: unknown): Promise<InvokeResult>
  /** Events of the engine; returns how to stop. */
  subscribe(listener: (event: EngineEvent) => void): () => void
  /** Tells the state now and at each change; on `ready` after `restarting` everything read before is stale. */
  onEngineState(listener: (state: EngineState) => void): () => void
  /** Commands of the native menu. */
  onCommand(listener: (command: WindowCommand) => void): () => void
  /** The path of a dropped or chosen file; empty when it is not on a disk. */
  pathOfFile(file: File): string
  /** The system's dialog; empty when it was cancelled. */
  chooseFiles(options?: ChooseFilesOptions): Promise<string[]>
  /** The system's dialog; null when it was cancelled. */
  chooseFolder(options?: ChooseFolderOptions): Promise<string | null>
  /** Shows a file in the system's file manager; it opens nothing. */
  showInFolder(path: string): Promise<void>
  readonly platform: string
  readonly version: string
}

/** `window.confirmation`: all that the confirmation window's page gets. */
export interface ConfirmationBridge {
  /** What is to be confirmed; null when there is nothing. */
  read(): Promise<unknown>
  /** The person's answer; the window closes. */
  answer(accepted: boolean, typedName: string): void
}
