import { useEffect, useRef } from 'react'
import type { BackupRow } from '../../lib/join-backups.ts'
import { isTyping } from '../../lib/typing.ts'
import { useUi } from '../../stores/ui.ts'
import { planRestore, verifyBackup } from './actions.ts'

/** R restore, V verify; Esc closes. Outside fields only. */
export function useBackupKeys(site: string, row: BackupRow | null, close: () => void): void {
  const latest = useRef({ row, close })
  latest.current = { row, close }
  useEffect(() => {
    const listener = (event: KeyboardEvent) => {
      const { paletteOpen, unlock } = useUi.getState()
      if (
        event.defaultPrevented ||
        isTyping(event.target) ||
        event.ctrlKey ||
        event.metaKey ||
        event.altKey ||
        paletteOpen ||
        unlock
      )
        return
      const chosen = latest.current.row
      if (event.key === 'Escape') latest.current.close()
      else if (chosen && event.key.toLowerCase() === 'r') planRestore(site, chosen)
      else if (chosen && event.key.toLowerCase() === 'v') void verifyBackup(site, chosen)
    }
    window.addEventListener('keydown', listener)
    return () => window.removeEventListener('keydown', listener)
  }, [site])
}
