import type { EngineEvent } from './events.ts'
import type { ProcedureInput, ProcedureName, ProcedureOutput } from './index.ts'

/** Commands that the native menu sends to the window. */
export type WindowCommand = { command: string; site?: string }

export interface ChooseFilesOptions {
  title: string
  /** Endings without dot, e.g. `['enc']`; empty: any file. */
  endings: string[]
}

/** What the preload puts at `window.desk`; the window reaches nothing else. A rejected call rejects with AppErrorData: class instances do not cross. */
export interface DeskBridge {
  invoke<N extends ProcedureName>(name: N, input: ProcedureInput<N>): Promise<ProcedureOutput<N>>
  /** @returns a function that ends the subscription */
  subscribe(listener: (event: EngineEvent) => void): () => void
  /** The true path of a dropped file; empty for what is no file. */
  pathOfFile(file: File): string
  /** The system's own dialog; empty when cancelled. */
  chooseFiles(options: ChooseFilesOptions): Promise<string[]>
  chooseFolder(title: string): Promise<string | null>
  onCommand(listener: (command: WindowCommand) => void): () => void
  readonly platform: string
  readonly version: string
}
