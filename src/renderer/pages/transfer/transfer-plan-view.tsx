import { Checkbox } from '@mantine/core'
import type { AppError } from '#shared/errors.ts'
import { formatBytes, formatMomentLong, formatPlural } from '#shared/format.ts'
import type { TransferItem, TransferPlan } from '#shared/model/transfer.ts'
import { Columns, Pane, PaneSection, Scroll } from '../../components/pane.tsx'
import { Spinner } from '../../components/progress.tsx'
import { ErrorBox, Notice } from '../../components/states.tsx'
import type { TransferChoice } from '../../lib/transfer-choice.ts'
import { useSettings } from '../../queries.ts'
import { Checks, whyNotRunnable } from '../restore/plan-changes.tsx'
import { NotConfirmed } from '../restore/plan-view.tsx'
import page from '../restore/restore.module.css'
import classes from './transfer.module.css'
import { Deletions, TransferItems } from './transfer-items.tsx'
import { TransferRoute } from './transfer-route.tsx'

/** What the transfer would do: from where to where, which backups, what is deleted, checks. */
export function TransferPlanView(props: {
  plan: TransferPlan
  choice: TransferChoice
  backup: { name: string; timestamp: string } | null
  busy: boolean
  error: AppError | null
  notConfirmed: boolean
  onChange(change: Partial<TransferChoice>): void
}) {
  const { plan, choice, backup, busy, onChange } = props
  const failed = plan.checks.some((check) => check.outcome === 'failed')
  const work = plan.items.filter(({ action }) => action === 'copy' || action === 'resume')
  return (
    <Columns busy={busy}>
      <Scroll padded>
        {props.error && (
          <div className={page.box}>
            <ErrorBox error={props.error} onRetry={() => onChange({})} />
          </div>
        )}
        {props.notConfirmed && <NotConfirmed />}
        {failed && (
          <div className={page.box}>
            <ErrorBox
              title="This cannot be copied."
              error={whyNotRunnable(plan.checks, 'Nothing has been changed. Put right what failed, or choose another place.')}
            />
          </div>
        )}
        <p className={page.effect} data-selectable>
          <Effect plan={plan} work={work} backup={backup} />
        </p>
        <TransferRoute plan={plan} choice={choice} busy={busy} onChange={onChange} />
        <div className={classes.options}>
          {backup === null && (
            <Checkbox
              label={`Delete what the ${choice.to} has in its rotation and the ${choice.from} does not`}
              checked={choice.deleteOthers}
              disabled={busy}
              onChange={(event) => onChange({ deleteOthers: event.currentTarget.checked })}
            />
          )}
          {busy && (
            <span className={classes.replanning}>
              <Spinner /> Making the plan again
            </span>
          )}
        </div>
        {!failed && work.length === 0 && plan.deletions.length === 0 && (
          <div className={page.box}>
            <Notice tone="ok" title="Nothing to copy.">
              What the {plan.from} has that may be copied is in the {plan.to} already.
            </Notice>
          </div>
        )}
        <TransferItems items={plan.items} />
        <Deletions deletions={plan.deletions} to={plan.to} />
        <Checks checks={plan.checks} />
      </Scroll>
      <Pane label="What to expect" width={300} narrowWidth={220}>
        <Amounts plan={plan} work={work.length} />
        <PaneSection title="How it goes">
          <ul className={classes.notes}>
            <li>The newest backup first. Each is checked by its hash, and its entry in the index comes last.</li>
            <li>Interrupted, by a cut or by you: what has arrived is kept, and the next try goes on from there.</li>
            <li>Pinned and safety backups stay in the vault; they are never copied.</li>
          </ul>
        </PaneSection>
      </Pane>
    </Columns>
  )
}

function Effect({
  plan,
  work,
  backup,
}: {
  plan: TransferPlan
  work: TransferItem[]
  backup: { name: string; timestamp: string } | null
}) {
  const replaced = work.filter(({ replaces }) => replaces !== null).length
  const mended = work.filter(({ mends }) => mends).length
  const displaces = work.some((item) => item.displaces)
  const marked = plan.items.filter(({ marks }) => marks).length
  const note =
    marked > 0 && `The index of the ${plan.from} learns that the filestore has ${formatPlural(marked, 'backup')} already. `
  if (work.length === 0 && plan.deletions.length === 0 && marked > 0) return <>{note}Nothing is copied.</>
  const what = backup ? (
    <>
      <b>{backup.name}</b> of {formatMomentLong(backup.timestamp)}
    </>
  ) : (
    <b>{formatPlural(work.length, 'backup')}</b>
  )
  return (
    <>
      Copies {what} of {plan.site} from the {plan.from}{' '}
      {plan.to === 'vault' ? 'into the vault on this computer' : `to the ${plan.to}`}.{' '}
      {replaced > 0 && `${formatPlural(replaced, 'older backup')} in the same slots ${replaced === 1 ? 'is' : 'are'} replaced. `}
      {mended > 0 && `${formatPlural(mended, 'damaged copy', 'damaged copies')} there ${mended === 1 ? 'is' : 'are'} replaced. `}
      {displaces && 'The other copy there is pinned in the vault, then replaced. '}
      {note}
      {plan.deletions.length > 0 && <b className={classes.bad}>{formatPlural(plan.deletions.length, 'backup')} deleted. </b>}
      {marked === 0 && `The ${plan.from} stays as it is.`}
    </>
  )
}

function Amounts({ plan, work }: { plan: TransferPlan; work: number }) {
  const limit = useSettings().data?.preferences.transferLimit ?? null
  const count = (action: TransferPlan['items'][number]['action']) => plan.items.filter((item) => item.action === action).length
  const lines = [
    { label: 'To copy', text: `${formatPlural(work, 'backup')}, ${formatBytes(plan.bytes)}` },
    ...(count('same') > 0 ? [{ label: 'There already', text: formatPlural(count('same'), 'backup') }] : []),
    ...(count('refused') > 0 ? [{ label: 'Left alone', text: formatPlural(count('refused'), 'backup') }] : []),
    ...(plan.deletions.length > 0 ? [{ label: 'Deleted', text: formatPlural(plan.deletions.length, 'backup') }] : []),
    { label: 'Speed', text: limit === null ? 'as fast as it goes' : `at most ${limit} KiB/s` },
  ]
  return (
    <PaneSection title="Amount">
      <dl className={classes.amounts}>
        {lines.map(({ label, text }) => (
          <div key={label}>
            <dt>{label}</dt>
            <dd>{text}</dd>
          </div>
        ))}
      </dl>
    </PaneSection>
  )
}
