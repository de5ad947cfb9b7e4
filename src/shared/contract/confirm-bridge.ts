import type { Confirmation } from '../model/plan.ts'

/** What the confirmation window's own preload gives its page. */
export interface ConfirmBridge {
  /** The facts to be shown, as the engine's plan has them. */
  read(): Promise<Confirmation>
  /** The page's height in pixels, once it is laid out. */
  fit(height: number): void
  /** @param typedName what was typed; null: cancelled. The shell compares it itself. */
  answer(typedName: string | null): void
}
