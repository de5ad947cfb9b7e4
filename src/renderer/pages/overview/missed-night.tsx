import { Button } from '@mantine/core'
import { Notice } from '../../components/states.tsx'
import { runMissed, useNightlyState } from '../../lib/use-nights.ts'
import classes from './site-overview.module.css'

/** Tonight's backup is due and was not made: why, and the way to make it now. */
export function MissedNight({ site }: { site: string }) {
  const state = useNightlyState(site)
  if (!state || state.missed === null || state.runningJob !== null) return null
  return (
    <div className={classes.missed}>
      <Notice tone="warn" title="Tonight’s backup was missed.">
        {state.missed}
        <div className={classes.missedAction}>
          <Button data-size="small" aria-label={`Run the missed backup of ${site} now`} onClick={() => void runMissed(site)}>
            Run missed now
          </Button>
        </div>
      </Notice>
    </div>
  )
}
