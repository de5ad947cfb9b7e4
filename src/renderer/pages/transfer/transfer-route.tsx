import { Select } from '@mantine/core'
import { IconArrowRight } from '@tabler/icons-react'
import { formatBytes } from '#shared/format.ts'
import type { RepositoryName } from '#shared/model/backup.ts'
import type { TransferPlan } from '#shared/model/transfer.ts'
import { icon16, REPOSITORY_ICON, REPOSITORY_LABEL } from '../../components/icons.tsx'
import { usePlaces } from '../../lib/site-places.ts'
import type { TransferChoice } from '../../lib/transfer-choice.ts'
import classes from './transfer.module.css'

/** From where to where, drawn: two places and how much goes between them. Each end can be chosen. */
export function TransferRoute(props: {
  plan: TransferPlan
  choice: TransferChoice
  busy: boolean
  onChange(change: Partial<TransferChoice>): void
}) {
  const { plan, choice, busy, onChange } = props
  const places = usePlaces(plan.site).map(({ repository }) => repository)
  const end = (side: 'from' | 'to', place: string) => (
    <End
      label={side === 'from' ? 'From' : 'To'}
      repository={choice[side]}
      place={place}
      choices={places}
      busy={busy}
      onChoose={(repository) => onChange({ [side]: repository })}
    />
  )
  return (
    <div className={classes.route} aria-busy={busy}>
      {end('from', plan.fromPlace)}
      <div className={classes.arrow}>
        <span>{formatBytes(plan.bytes)}</span>
        <IconArrowRight size={24} stroke={1.5} aria-hidden />
      </div>
      {end('to', plan.toPlace)}
    </div>
  )
}

function End(props: {
  label: string
  repository: RepositoryName
  place: string
  choices: readonly RepositoryName[]
  busy: boolean
  onChoose(repository: RepositoryName): void
}) {
  const { label, repository, choices } = props
  const Icon = REPOSITORY_ICON[repository]
  return (
    <div className={classes.end}>
      <Icon {...icon16} />
      <div>
        <Select
          aria-label={label}
          className={classes.choose}
          disabled={props.busy}
          allowDeselect={false}
          value={repository}
          data={choices.map((value) => ({ value, label: REPOSITORY_LABEL[value] }))}
          onChange={(value) => {
            const chosen = choices.find((choice) => choice === value)
            if (chosen !== undefined && chosen !== repository) props.onChoose(chosen)
          }}
        />
        <code data-selectable title={props.place}>
          {props.place}
        </code>
      </div>
    </div>
  )
}
