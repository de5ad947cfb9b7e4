import { Button } from '@mantine/core'
import { IconChevronRight } from '@tabler/icons-react'
import { type ReactNode, useEffect } from 'react'
import type { Job } from '#shared/model/job.ts'
import type { PlanCheck } from '#shared/model/plan.ts'
import { Badge } from '../../components/badge.tsx'
import { icon16 } from '../../components/icons.tsx'
import { CommandLine } from '../../components/kbd.tsx'
import { CloseButton } from '../../components/pane.tsx'
import { ProgressBar } from '../../components/progress.tsx'
import { SkeletonRows } from '../../components/states.tsx'
import { fraction, phaseText } from '../../lib/jobs.ts'
import type { PlannedRun } from '../../lib/use-planned-run.ts'
import { navigate, type SitePage, useUi } from '../../stores/ui.ts'
import classes from './restore.module.css'

/** What is said of a plan and its run, in the words of one kind of plan. */
export interface PlanWords {
  title: string
  /** "Restoring" */
  doing: string
  /** "Restored" */
  done: string
  /** The button, "Restore…". */
  action: string
  /** The button for those who do not see where it stands: what it changes, by name. */
  actionLabel: string
  /** What making the plan means. */
  planning: string
  /** False for what changes nothing but this computer; default: true. */
  isDanger?: boolean
}

type AnyRun = PlannedRun<{ id: string; runnable: boolean; checks: readonly PlanCheck[] }>

/** Bread crumbs, title and state of a plan; Escape and the cross go back to where it was opened. */
export function PlanHeader({ site, tab, words, run }: { site: string; tab: SitePage; words: PlanWords; run: AnyRun }) {
  const back = () => navigate({ page: 'site', site, tab })
  useEscape(run.job === null && !run.confirming ? back : null)
  return (
    <header className={classes.header}>
      <Crumb onClick={() => navigate({ page: 'site', site, tab: 'overview' })}>{site}</Crumb>
      {tab === 'backups' && <Crumb onClick={back}>Backups</Crumb>}
      <h1>{words.title}</h1>
      <StateBadge run={run} words={words} />
      <span className={classes.close}>
        <CloseButton label={run.job ? 'Close this page; the work goes on' : 'Close the plan'} onClick={back} />
      </span>
    </header>
  )
}

/** Cancel left, the same action from a terminal and the danger button right. */
export function PlanFooter(props: { words: PlanWords; run: AnyRun; command: string; onCancel(): void }) {
  const { plan, planning, confirming, run } = props.run
  return (
    <footer className={classes.footer}>
      <Button onClick={props.onCancel} disabled={confirming}>
        Cancel
      </Button>
      <div className={classes.footerRight}>
        {plan && <CommandLine command={props.command} />}
        <Button
          variant={props.words.isDanger === false ? 'filled' : 'danger'}
          disabled={!plan?.runnable || planning || confirming}
          aria-label={props.words.actionLabel}
          title={
            plan && !plan.runnable
              ? plan.checks.some((check) => check.outcome === 'failed')
                ? 'A check failed; see Checks'
                : 'There is nothing to do'
              : undefined
          }
          onClick={run}
        >
          {confirming ? 'Waiting for your confirmation' : props.words.action}
        </Button>
      </div>
    </footer>
  )
}

/** While there is no plan yet. */
export function MakingPlan({ words, job }: { words: PlanWords; job: Job | null }) {
  return (
    <div className={classes.single}>
      <p className={classes.planning}>{words.planning}</p>
      {job?.phase && (
        <div className={classes.planBar}>
          <ProgressBar value={fraction(job.phase.done, job.phase.total)} label="Making the plan" />
          <span>{phaseText(job.phase)}</span>
        </div>
      )}
      <SkeletonRows rows={6} height={28} label="Making the plan" />
    </div>
  )
}

function StateBadge({ run, words }: { run: AnyRun; words: PlanWords }) {
  const { job, plan, error } = run
  if (!job && !plan && error) return <Badge>No plan, nothing changed</Badge>
  if (!job) return <Badge tone="acc">Plan, nothing changed yet</Badge>
  switch (job.state) {
    case 'done':
      return <Badge tone="ok">{words.done}</Badge>
    case 'failed':
    case 'interrupted':
      return <Badge tone="bad">{job.state === 'failed' ? 'Failed' : 'Interrupted'}</Badge>
    case 'cancelled':
      return <Badge>Cancelled</Badge>
    case 'queued':
    case 'running':
    case 'waiting':
      return <Badge tone="acc">{words.doing}</Badge>
  }
}

function Crumb({ children, onClick }: { children: ReactNode; onClick(): void }) {
  return (
    <span className={classes.crumb}>
      <button type="button" onClick={onClick}>
        {children}
      </button>
      <IconChevronRight {...icon16} />
    </span>
  )
}

function useEscape(action: (() => void) | null): void {
  useEffect(() => {
    if (!action) return
    const listener = (event: KeyboardEvent) => {
      const { paletteOpen, unlock } = useUi.getState()
      if (event.key === 'Escape' && !event.defaultPrevented && !paletteOpen && !unlock) action()
    }
    window.addEventListener('keydown', listener)
    return () => window.removeEventListener('keydown', listener)
  }, [action])
}
