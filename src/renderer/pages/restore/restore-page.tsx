import type { AppError } from '#shared/errors.ts'
import { ErrorBox } from '../../components/states.tsx'
import { useMarkSeen } from '../../lib/use-mark-seen.ts'
import { type RestoreSource, restoreCommand, useRestore } from '../../lib/use-restore.ts'
import { navigate } from '../../stores/ui.ts'
import { MakingPlan, PlanFooter, PlanHeader, type PlanWords } from './plan-frame.tsx'
import { PlanPassword } from './plan-password.tsx'
import { PlanView } from './plan-view.tsx'
import classes from './restore.module.css'
import { RestoreRun } from './restore-run.tsx'

/** A restore, from its plan to its end. Nothing changes before the operator confirmed in the shell's own window. */
export function RestorePage(source: RestoreSource) {
  const { site, name } = source
  const restore = useRestore(source)
  const { plan, options, change, error } = restore
  // Why there is no plan is said on this page.
  useMarkSeen([restore.planJob])
  const words = wordsFor(name, options.onto)
  const header = <PlanHeader site={site} tab="backups" words={words} run={restore} />
  if (restore.job) {
    return (
      <main className={classes.page}>
        {header}
        <RestoreRun source={source} onto={options.onto} job={restore.job} plan={plan} />
      </main>
    )
  }
  return (
    <main className={classes.page}>
      {header}
      {plan ? (
        <PlanView
          plan={plan}
          options={options}
          busy={restore.planning}
          error={error}
          notConfirmed={restore.notConfirmed}
          onChange={change}
        />
      ) : error ? (
        <NoPlan
          name={name}
          error={error}
          onRetry={() => change({})}
          onPassword={(password) => change({ passwords: [...options.passwords, password] })}
        />
      ) : (
        <MakingPlan words={words} job={restore.planJob} />
      )}
      <PlanFooter
        words={words}
        run={restore}
        command={restoreCommand(source, options)}
        onCancel={() => navigate({ page: 'site', site, tab: 'backups' })}
      />
    </main>
  )
}

function wordsFor(name: string, onto: string): PlanWords {
  return {
    title: `Restore ${name}`,
    doing: 'Restoring',
    done: 'Restored',
    action: 'Restore…',
    actionLabel: `Restore ${name} onto ${onto}`,
    planning: 'Making the plan: the backup is read to its end and compared with the live site. Nothing is changed.',
  }
}

function NoPlan(props: { name: string; error: AppError; onRetry(): void; onPassword(password: string): void }) {
  const asksPassword = /password/.test(props.error.code)
  return (
    <div className={classes.single}>
      <ErrorBox title="There is no plan." error={props.error} {...(asksPassword ? {} : { onRetry: props.onRetry })} />
      {asksPassword && <PlanPassword name={props.name} onTry={props.onPassword} />}
    </div>
  )
}
