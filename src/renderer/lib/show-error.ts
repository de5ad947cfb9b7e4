import { readError } from '../bridge.ts'
import { useUi } from '../stores/ui.ts'

/** An error of something small that has no place of its own on the page. */
export function showError(error: unknown): void {
  const { code, message, hint } = readError(error)
  if (code === 'cancelled') return
  useUi.getState().toast({ tone: 'bad', text: hint === '' ? message : `${message} ${hint}` })
}
