import { useEffect, useRef } from 'react'
import { isTyping } from '../../lib/typing.ts'
import { useUi } from '../../stores/ui.ts'
import type { BackupAction } from './backup-actions.tsx'

/** The letters beside the actions; Esc closes. Outside of fields only. */
export function useBackupKeys(actions: readonly BackupAction[], close: () => void): void {
  const latest = useRef({ actions, close })
  latest.current = { actions, close }
  useEffect(() => {
    const listener = (event: KeyboardEvent) => {
      const { paletteOpen, unlock, leaving } = useUi.getState()
      const isModified = event.ctrlKey || event.metaKey || event.altKey
      if (event.defaultPrevented || isTyping(event.target) || isModified || paletteOpen || unlock || leaving) return
      if (event.key === 'Escape') latest.current.close()
      else latest.current.actions.find((action) => !action.isRunning && isKeyOf(action, event.key))?.run()
    }
    window.addEventListener('keydown', listener)
    return () => window.removeEventListener('keydown', listener)
  }, [])
}

function isKeyOf({ keys }: BackupAction, key: string): boolean {
  return keys === 'Del' ? key === 'Delete' || key === 'Backspace' : key.toUpperCase() === keys
}
