import { Button } from '@mantine/core'
import { formatDuration } from '#shared/format.ts'
import type { Job } from '#shared/model/job.ts'
import type { RestorePlan } from '#shared/model/plan.ts'
import { CommandLine } from '../../components/kbd.tsx'
import { Notice } from '../../components/states.tsx'
import { tookSeconds } from '../../lib/jobs.ts'
import type { RestoreSource } from '../../lib/use-restore.ts'
import { navigate } from '../../stores/ui.ts'
import { RunView, type RunWords } from './run-view.tsx'

/** The restore while it runs, and how it ended. */
export function RestoreRun(props: { source: RestoreSource; onto: string; job: Job; plan: RestorePlan | null }) {
  const { source, onto, job, plan } = props
  const words: RunWords = {
    doing: (
      <>
        Restoring <b>{source.name}</b> onto <b>{onto}</b>.
      </>
    ),
    failed: 'The restore failed.',
    cancelled: 'The database and the files are as they were.',
    interrupted: 'The engine ended while the restore ran. The database is either as it was or whole as restored, never between.',
    cancel: 'Cancel the restore',
    back: 'Back to the backups',
  }
  return (
    <RunView
      job={job}
      plan={plan}
      words={words}
      done={<Restored name={source.name} onto={onto} job={job} keptSchema={plan?.keptSchema ?? null} />}
      onBack={() => navigate({ page: 'site', site: source.site, tab: 'backups' })}
    />
  )
}

function Restored({ name, onto, job, keptSchema }: { name: string; onto: string; job: Job; keptSchema: string | null }) {
  const took = tookSeconds(job, new Date())
  return (
    <>
      <Notice tone="ok" title={`${name} is restored onto ${onto}.`}>
        {took === null || took < 1 ? '' : `It took ${formatDuration(took)}.`}
      </Notice>
      <Notice tone="warn" title={`Restart ${onto} now.`}>
        The running site still holds what it read before; until it is restarted it may show or write old data. On the server:{' '}
        <CommandLine command={`zotonic restartsite ${onto}`} />
      </Notice>
      {isUndoable(job.result) && (
        <Notice tone="info" title="Not what you wanted?">
          What the site held before is kept and can be put back.{' '}
          <Button
            data-size="inline"
            onClick={() => navigate({ page: 'way-back', site: onto, kind: 'undo', kept: keptSchema ?? job.id })}
          >
            Undo this restore…
          </Button>
        </Notice>
      )}
    </>
  )
}

/** A restore that replaced nothing keeps nothing: the job itself says it. */
function isUndoable(result: unknown): boolean {
  return typeof result === 'object' && result !== null && 'undoHint' in result && result.undoHint !== ''
}
