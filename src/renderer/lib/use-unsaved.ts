import { useEffect } from 'react'
import { useUi } from '../stores/ui.ts'

/** Tells what would be lost by leaving the calling page, so that leaving it is asked about first; null: nothing. */
export function useUnsaved(unsaved: string | null): void {
  useEffect(() => {
    useUi.getState().setUnsaved(unsaved)
    return leaveUnsaved
  }, [unsaved])
}

/** The page is left on purpose: nothing is asked. */
export function leaveUnsaved(): void {
  useUi.getState().setUnsaved(null)
}
