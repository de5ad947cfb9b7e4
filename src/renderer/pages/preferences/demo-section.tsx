import { Button } from '@mantine/core'
import type { DemoState } from '#shared/contract/demo.ts'
import { formatBytes } from '#shared/format.ts'
import { ProgressBar } from '../../components/progress.tsx'
import { StateGlyph } from '../../components/state-glyph.tsx'
import { ErrorBox, SkeletonRows } from '../../components/states.tsx'
import { Section } from '../../layout/page.tsx'
import { openDemo, runDemo, useDemoJob } from '../../lib/demo.ts'
import { fraction, phaseText } from '../../lib/jobs.ts'
import { useDemoState } from '../../queries.ts'
import classes from './preferences.module.css'

/** The demo site: start, stop, back to its first state, away. */
export function DemoSection() {
  const demo = useDemoState()
  const { job, error } = useDemoJob()
  return (
    <Section title="Demo site">
      {demo.error && <ErrorBox error={demo.error} onRetry={() => void demo.refetch()} />}
      {demo.isPending && <SkeletonRows rows={1} height={48} label="Reading the state of the demo" />}
      {error && !job && <ErrorBox error={error} />}
      {demo.data && (
        <div className={classes.row}>
          <StateGlyph state={demo.data.state === 'running' ? 'ok' : 'none'} />
          <div>
            <p>{demo.data.available ? TITLE[demo.data.state] : 'Not available'}</p>
            <p className={classes.explain}>{explain(demo.data)}</p>
            {job && (
              <div className={classes.progress}>
                <ProgressBar value={job.phase ? fraction(job.phase.done, job.phase.total) : null} label={job.title} />
                <span>{job.phase ? phaseText(job.phase) : 'Starting'}</span>
              </div>
            )}
          </div>
          <DemoActions demo={demo.data} busy={job !== null} />
        </div>
      )}
    </Section>
  )
}

const TITLE: Record<DemoState['state'], string> = { absent: 'Not set up', stopped: 'Stopped', running: 'Running' }

function explain(demo: DemoState): string {
  if (!demo.available) return 'This package has no database server for this kind of computer.'
  if (demo.state === 'absent') return 'A believable site with a real database and real backups, on this computer only.'
  const size = demo.bytes === null ? '' : `, ${formatBytes(demo.bytes)}`
  return `${demo.site}${size}; reachable from this computer only.`
}

function DemoActions({ demo, busy }: { demo: DemoState; busy: boolean }) {
  if (!demo.available) return null
  if (demo.state === 'absent') {
    return (
      <div className={classes.actions}>
        <Button disabled={busy} onClick={() => void openDemo()}>
          Open the demo site
        </Button>
      </div>
    )
  }
  return (
    <div className={classes.actions}>
      {demo.state === 'stopped' ? (
        <Button disabled={busy} onClick={() => void runDemo('demo.start')}>
          Start
        </Button>
      ) : (
        <Button disabled={busy} onClick={() => void runDemo('demo.stop')}>
          Stop
        </Button>
      )}
      <Button disabled={busy} onClick={() => void runDemo('demo.reset')}>
        Reset…
      </Button>
      <Button variant="danger" disabled={busy} onClick={() => void runDemo('demo.remove')}>
        Remove…
      </Button>
    </div>
  )
}
