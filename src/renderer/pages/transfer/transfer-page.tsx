import { Button } from '@mantine/core'
import type { RepositoryName } from '#shared/model/backup.ts'
import { ErrorBox } from '../../components/states.tsx'
import { type ChosenBackup, transferCommand } from '../../lib/transfer-choice.ts'
import { useMarkSeen } from '../../lib/use-mark-seen.ts'
import { useTransfer } from '../../lib/use-transfer.ts'
import { navigate } from '../../stores/ui.ts'
import { MakingPlan, PlanFooter, PlanHeader, type PlanWords } from '../restore/plan-frame.tsx'
import page from '../restore/restore.module.css'
import { TransferPlanView } from './transfer-plan-view.tsx'
import { TransferRun } from './transfer-run.tsx'

/** One backup copied, or two repositories brought in step: from the plan to the end. */
export function TransferPage(props: { site: string; from: RepositoryName; to: RepositoryName; backup?: ChosenBackup }) {
  const { site, backup = null } = props
  const subject = { site, backup }
  const transfer = useTransfer(subject, { from: props.from, to: props.to })
  const { plan, choice, error, change } = transfer
  // Why there is no plan is said on this page.
  useMarkSeen([transfer.planJob])
  const words = wordsFor(site, backup?.name ?? null, choice.to, plan?.needsConfirmation ?? choice.to !== 'vault')
  const header = <PlanHeader site={site} tab="backups" words={words} run={transfer} />
  const toBackups = () => navigate({ page: 'site', site, tab: 'backups' })
  if (transfer.job) {
    return (
      <main className={page.page}>
        {header}
        <TransferRun site={site} choice={choice} backup={backup} job={transfer.job} onBack={toBackups} />
      </main>
    )
  }
  return (
    <main className={page.page}>
      {header}
      {plan ? (
        <TransferPlanView
          plan={plan}
          choice={choice}
          backup={backup}
          busy={transfer.planning}
          error={error}
          notConfirmed={transfer.notConfirmed}
          onChange={change}
        />
      ) : error ? (
        <div className={page.single}>
          <ErrorBox
            title="There is no plan."
            error={error}
            action={
              <>
                <Button data-size="small" onClick={() => change({})}>
                  Try again
                </Button>
                <Button
                  data-size="small"
                  variant="subtle"
                  onClick={() => navigate({ page: 'site', site, tab: 'settings', section: 'connections' })}
                >
                  Test the connection…
                </Button>
              </>
            }
          />
        </div>
      ) : (
        <MakingPlan words={words} job={transfer.planJob} />
      )}
      <PlanFooter
        words={words}
        run={transfer}
        command={transferCommand(subject, choice, plan?.needsConfirmation ?? false)}
        onCancel={toBackups}
      />
    </main>
  )
}

function wordsFor(site: string, name: string | null, to: RepositoryName, asks: boolean): PlanWords {
  const isFetch = to === 'vault'
  const verb = isFetch ? 'Fetch' : 'Copy'
  const where = isFetch ? 'into the vault' : `to the ${to}`
  return {
    title: name === null ? 'Bring in step' : `${verb} ${name}`,
    doing: 'Copying',
    done: 'Copied',
    action: asks ? `${verb}…` : verb,
    actionLabel: name === null ? `${verb} what is missing ${where} of ${site}` : `${verb} ${name} ${where} of ${site}`,
    planning: 'Making the plan: both places are listed and compared. Nothing is changed.',
    isDanger: asks,
  }
}
