import type { AppError } from '#shared/errors.ts'
import { formatBytes, formatDuration, formatMomentLong, formatPlural } from '#shared/format.ts'
import type { Job } from '#shared/model/job.ts'
import type { WayBackPlan } from '#shared/model/plan.ts'
import { CommandLine } from '../../components/kbd.tsx'
import { Columns, Scroll } from '../../components/pane.tsx'
import { ErrorBox, Notice } from '../../components/states.tsx'
import { tookSeconds } from '../../lib/jobs.ts'
import { useMarkSeen } from '../../lib/use-mark-seen.ts'
import { useWayBack, type WayBackTarget } from '../../lib/use-way-back.ts'
import { navigate } from '../../stores/ui.ts'
import { Checks, KeptRows, Tables, whyNotRunnable } from './plan-changes.tsx'
import { MakingPlan, PlanFooter, PlanHeader, type PlanWords } from './plan-frame.tsx'
import { NotConfirmed, WayBackPane } from './plan-view.tsx'
import classes from './restore.module.css'
import { RunView, type RunWords } from './run-view.tsx'

/** Back to what a restore set aside, or the end of that: plan, confirmation, run. */
export function WayBackPage(target: WayBackTarget) {
  const { site, kind, kept } = target
  const wayBack = useWayBack(target)
  const { plan, error, job } = wayBack
  useMarkSeen([wayBack.planJob])
  const words = planWords(target)
  const header = <PlanHeader site={site} tab="overview" words={words} run={wayBack} />
  const toSite = () => navigate({ page: 'site', site, tab: 'overview' })
  if (job) {
    return (
      <main className={classes.page}>
        {header}
        <RunView job={job} plan={plan} words={runWords(target)} done={<Done target={target} job={job} />} onBack={toSite} />
      </main>
    )
  }
  return (
    <main className={classes.page}>
      {header}
      {plan ? (
        <WayBackPlanView plan={plan} error={error} notConfirmed={wayBack.notConfirmed} onRetry={wayBack.replan} />
      ) : error ? (
        <div className={classes.single}>
          <ErrorBox title="There is no plan." error={error} onRetry={wayBack.replan} />
        </div>
      ) : (
        <MakingPlan words={words} job={wayBack.planJob} />
      )}
      <PlanFooter words={words} run={wayBack} command={`zbd ${kind} ${site} ${kept} --confirm ${site}`} onCancel={toSite} />
    </main>
  )
}

function WayBackPlanView(props: { plan: WayBackPlan; error: AppError | null; notConfirmed: boolean; onRetry(): void }) {
  const { plan } = props
  return (
    <Columns>
      <Scroll padded>
        {props.error && (
          <div className={classes.box}>
            <ErrorBox error={props.error} onRetry={props.onRetry} />
          </div>
        )}
        {props.notConfirmed && <NotConfirmed />}
        {!plan.runnable && (
          <div className={classes.box}>
            <ErrorBox
              title={plan.kind === 'undo' ? 'This cannot be undone now.' : 'This cannot be deleted now.'}
              error={whyNotRunnable(plan.checks, 'Nothing has been changed. Put right what failed and try again.')}
            />
          </div>
        )}
        <Effect plan={plan} />
        {plan.tables.length > 0 && plan.kind === 'undo' && (
          <Tables title="What is replaced" tables={plan.tables} kept={plan.keptSchema} />
        )}
        {plan.tables.length > 0 && plan.kind === 'drop' && <KeptRows tables={plan.tables} />}
        <Checks checks={plan.checks} />
      </Scroll>
      <WayBackPane plan={plan} />
    </Columns>
  )
}

function Effect({ plan }: { plan: WayBackPlan }) {
  const { kept } = plan
  const age = `${formatDuration(kept.ageSeconds)} ago`
  const files = kept.files ? formatPlural(kept.files.replaced, 'replaced file') : null
  if (plan.kind === 'undo') {
    return (
      <p className={classes.effect} data-selectable>
        Sets the live site <b>{plan.site}</b> back to what it was on <b>{formatMomentLong(kept.keptAt)}</b>, {age}, before{' '}
        {kept.by === 'undo' ? 'a restore was undone' : <>{kept.backup ? <b>{kept.backup.name}</b> : 'a backup'} was restored</>}.
        What was written since leaves the live site and is kept.
      </p>
    )
  }
  return (
    <p className={classes.effect} data-selectable>
      Deletes for good what <b>{plan.site}</b> held until <b>{formatMomentLong(kept.keptAt)}</b>, {age}:{' '}
      {[
        kept.schema === null ? null : `the schema ${kept.schema}${kept.bytes === null ? '' : `, ${formatBytes(kept.bytes)}`}`,
        files,
      ]
        .filter((text) => text !== null)
        .join(', and ')}
      . The live site stays as it is.
    </p>
  )
}

function planWords({ site, kind }: WayBackTarget): PlanWords {
  return kind === 'undo'
    ? {
        title: 'Undo a restore',
        doing: 'Going back',
        done: 'Undone',
        action: 'Undo…',
        actionLabel: `Undo the restore of ${site}`,
        planning: 'Making the plan: the kept state is compared with the live site. Nothing is changed.',
      }
    : {
        title: 'Delete a kept state',
        doing: 'Deleting',
        done: 'Deleted',
        action: 'Delete…',
        actionLabel: `Delete a kept state of ${site}`,
        planning: 'Making the plan: what depends on the kept state is looked for. Nothing is changed.',
      }
}

function runWords({ site, kind }: WayBackTarget): RunWords {
  const back = `Back to ${site}`
  return kind === 'undo'
    ? {
        doing: (
          <>
            Setting <b>{site}</b> back to what it was before the restore.
          </>
        ),
        failed: 'The restore was not undone.',
        cancelled: 'The database and the files are as they were.',
        interrupted:
          'The engine ended meanwhile. The database is either as it was or whole as before the restore, never between.',
        cancel: 'Cancel',
        back,
      }
    : {
        doing: (
          <>
            Deleting a kept state of <b>{site}</b>.
          </>
        ),
        failed: 'The kept state was not deleted.',
        cancelled: 'The live site is as it was.',
        interrupted:
          'The engine ended meanwhile. The live site is as it was; what is left of the kept state can be deleted again.',
        cancel: 'Cancel',
        back,
      }
}

function Done({ target: { site, kind }, job }: { target: WayBackTarget; job: Job }) {
  const took = tookSeconds(job, new Date())
  const text = took === null || took < 1 ? '' : `It took ${formatDuration(took)}.`
  if (kind === 'drop')
    return (
      <Notice tone="ok" title="The kept state is deleted.">
        {text}
      </Notice>
    )
  return (
    <>
      <Notice tone="ok" title={`${site} is as it was before the restore.`}>
        {text}
      </Notice>
      <Notice tone="warn" title={`Restart ${site} now.`}>
        The running site still holds what it read before. On the server: <CommandLine command={`zotonic restartsite ${site}`} />
      </Notice>
    </>
  )
}
