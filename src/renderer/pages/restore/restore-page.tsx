import { Button } from '@mantine/core'
import { IconChevronRight, IconX } from '@tabler/icons-react'
import { type ReactNode, useEffect, useState } from 'react'
import type { RepositoryName } from '#shared/model/backup.ts'
import type { RestorePart } from '#shared/model/plan.ts'
import { Badge } from '../../components/badge.tsx'
import { icon16 } from '../../components/icons.tsx'
import { CommandLine } from '../../components/kbd.tsx'
import { ProgressBar } from '../../components/progress.tsx'
import { ErrorBox, SkeletonRows } from '../../components/states.tsx'
import { fraction, phaseText } from '../../lib/jobs.ts'
import { useMarkSeen } from '../../lib/use-mark-seen.ts'
import { type RestoreTarget, useRestore } from '../../lib/use-restore.ts'
import { navigate, useUi } from '../../stores/ui.ts'
import { PlanPassword } from './plan-password.tsx'
import { PlanView } from './plan-view.tsx'
import classes from './restore.module.css'
import { RunView } from './run-view.tsx'

/** A restore, from its plan to its end. Nothing changes before the operator confirmed in the shell's own window. */
export function RestorePage(target: { site: string; name: string; timestamp: string; from?: RepositoryName }) {
  const { site, name } = target
  const restore = useRestore(target)
  // Why there is no plan is said on this page.
  useMarkSeen([restore.planJob])
  const toBackups = () => navigate({ page: 'site', site, tab: 'backups' })
  useEscape(restore.job === null && !restore.confirming ? toBackups : null)
  return (
    <main className={classes.page}>
      <header className={classes.header}>
        <Crumb onClick={() => navigate({ page: 'site', site, tab: 'overview' })}>{site}</Crumb>
        <Crumb onClick={toBackups}>Backups</Crumb>
        <h1>Restore {name}</h1>
        <StateBadge restore={restore} />
        <button
          type="button"
          className={classes.close}
          aria-label={restore.job ? 'Close this page; the restore goes on' : 'Close the plan'}
          onClick={toBackups}
        >
          <IconX {...icon16} />
        </button>
      </header>
      {restore.job ? (
        <RunView site={site} job={restore.job} plan={restore.plan} />
      ) : (
        <>
          <Planning restore={restore} target={target} />
          <Footer site={site} name={name} restore={restore} onCancel={toBackups} />
        </>
      )}
    </main>
  )
}

function Planning({ restore, target }: { restore: ReturnType<typeof useRestore>; target: RestoreTarget }) {
  const [passwords, setPasswords] = useState<string[]>([])
  const { plan, planJob, error, parts } = restore
  const replan = (next: RestorePart[], tried = passwords) => restore.makePlan(next, tried)
  if (plan)
    return (
      <PlanView
        plan={plan}
        asked={parts}
        busy={restore.planning}
        error={error}
        notConfirmed={restore.notConfirmed}
        onParts={(next) => replan(next)}
      />
    )
  if (error) {
    const asksPassword = /password/.test(error.code)
    return (
      <div className={classes.single}>
        <ErrorBox title="There is no plan." error={error} {...(asksPassword ? {} : { onRetry: () => replan(parts) })} />
        {asksPassword && (
          <PlanPassword
            name={target.name}
            onTry={(password) => {
              const tried = [...passwords, password]
              setPasswords(tried)
              replan(parts, tried)
            }}
          />
        )}
      </div>
    )
  }
  return (
    <div className={classes.single}>
      <p className={classes.planning}>
        Making the plan: the backup is read to its end and compared with the live site. Nothing is changed.
      </p>
      {planJob?.phase && (
        <div className={classes.planBar}>
          <ProgressBar value={fraction(planJob.phase.done, planJob.phase.total)} label="Making the plan" />
          <span>{phaseText(planJob.phase)}</span>
        </div>
      )}
      <SkeletonRows rows={6} height={28} label="Making the plan" />
    </div>
  )
}

function Footer({
  site,
  name,
  restore,
  onCancel,
}: {
  site: string
  name: string
  restore: ReturnType<typeof useRestore>
  onCancel(): void
}) {
  const { plan, planning, confirming } = restore
  const only = plan?.parts.length === 1 ? ` --parts ${plan.parts[0]}` : ''
  return (
    <footer className={classes.footer}>
      <Button onClick={onCancel} disabled={confirming}>
        Cancel
      </Button>
      <div className={classes.footerRight}>
        {plan && <CommandLine command={`zbd restore ${site} ${name}${only} --confirm ${site}`} />}
        <Button
          variant="danger"
          disabled={!plan?.runnable || planning || confirming}
          aria-label={`Restore ${name} onto ${site}`}
          title={plan && !plan.runnable ? 'A check failed; see Checks' : undefined}
          onClick={restore.run}
        >
          {confirming ? 'Waiting for your confirmation' : 'Restore…'}
        </Button>
      </div>
    </footer>
  )
}

function StateBadge({ restore }: { restore: ReturnType<typeof useRestore> }) {
  const { job, plan, error } = restore
  if (!job && !plan && error) return <Badge>No plan, nothing changed</Badge>
  if (!job) return <Badge tone="acc">Plan, nothing changed yet</Badge>
  switch (job.state) {
    case 'done':
      return <Badge tone="ok">Restored</Badge>
    case 'failed':
    case 'interrupted':
      return <Badge tone="bad">{job.state === 'failed' ? 'Failed' : 'Interrupted'}</Badge>
    case 'cancelled':
      return <Badge>Cancelled</Badge>
    case 'queued':
    case 'running':
    case 'waiting':
      return <Badge tone="acc">Restoring</Badge>
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
