import { Button } from '@mantine/core'
import { runDemo, useDemoJob, useIsStoppedDemo } from '../lib/demo.ts'
import classes from './states.module.css'
import { Notice } from './states.tsx'

/** On the pages of the demo while its database is stopped, where anything new would fail to connect. */
export function DemoStopped({ site }: { site: string }) {
  const { job } = useDemoJob()
  const isStopped = useIsStoppedDemo(site)
  if (!isStopped) return null
  return (
    <Notice tone="info" title="The demo site is stopped.">
      Its backups can be read and verified; backing up and restoring need its database.
      <div className={classes.actions}>
        <Button data-size="small" loading={job !== null} onClick={() => void runDemo('demo.start')}>
          Start the demo site
        </Button>
      </div>
    </Notice>
  )
}
