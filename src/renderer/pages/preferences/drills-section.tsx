import { Button } from '@mantine/core'
import { useState } from 'react'
import { formatBytes, formatPlural } from '#shared/format.ts'
import { call } from '../../bridge.ts'
import { Section } from '../../layout/page.tsx'
import { showError } from '../../lib/show-error.ts'
import classes from './preferences.module.css'

/** What failed drills left on this computer, and the end of that. */
export function DrillsSection() {
  const [done, setDone] = useState<string | null>(null)
  const [busy, setBusy] = useState(false)
  const clear = async () => {
    setBusy(true)
    try {
      const { removed } = await call('backups.clearDrills', {})
      const bytes = removed.reduce((sum, { bytes }) => sum + bytes, 0)
      setDone(
        removed.length === 0
          ? 'There was none.'
          : `${formatPlural(removed.length, 'scratch database')} removed, ${formatBytes(bytes)}.`,
      )
    } catch (error) {
      showError(error)
    }
    setBusy(false)
  }
  return (
    <Section title="Drills">
      <div className={classes.line}>
        <p className={classes.explain} role="status">
          {done ?? 'A failed drill keeps its scratch database on this computer, to be looked at.'}
        </p>
        <Button loading={busy} onClick={() => void clear()}>
          Remove what was kept
        </Button>
      </div>
    </Section>
  )
}
