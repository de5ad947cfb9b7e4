import { Button } from '@mantine/core'
import { formatBytes, formatDuration, formatMoment, formatPlural } from '#shared/format.ts'
import type { KeptState } from '#shared/model/plan.ts'
import { ErrorBox } from '../../components/states.tsx'
import { Section } from '../../layout/page.tsx'
import { useKept } from '../../queries.ts'
import { navigate } from '../../stores/ui.ts'
import classes from './kept-states.module.css'

/** What earlier restores set aside: each can be made live again, or deleted. Not there when there is nothing. */
export function KeptStates({ site }: { site: string }) {
  const kept = useKept(site)
  const states = kept.data?.kept ?? []
  if (kept.error && kept.error.code !== 'secrets-locked') {
    return (
      <Section title="Kept by restores">
        <ErrorBox error={kept.error} onRetry={() => void kept.refetch()} />
      </Section>
    )
  }
  if (states.length === 0) return null
  const bytes = states.reduce((sum, state) => sum + (state.bytes ?? 0) + (state.files?.bytes ?? 0), 0)
  return (
    <Section title="Kept by restores" aside={bytes > 0 ? `${formatBytes(bytes)} in all` : undefined}>
      <ul className={classes.rows}>
        {states.map((state) => (
          <li key={state.id}>
            <span className={classes.what}>
              <b>{titleOf(state)}</b>
              <span>{factsOf(state)}</span>
            </span>
            <span className={classes.actions}>
              <Button
                data-size="small"
                aria-label={`Undo the restore of ${formatMoment(state.keptAt)}`}
                onClick={() => navigate({ page: 'way-back', site, kind: 'undo', kept: state.id })}
              >
                Undo…
              </Button>
              <Button
                data-size="small"
                variant="subtle"
                aria-label={`Delete what was kept on ${formatMoment(state.keptAt)}`}
                onClick={() => navigate({ page: 'way-back', site, kind: 'drop', kept: state.id })}
              >
                Delete…
              </Button>
            </span>
          </li>
        ))}
      </ul>
    </Section>
  )
}

function titleOf({ by, backup }: KeptState): string {
  if (by === 'undo') return 'Before a restore was undone'
  return backup ? `Before ${backup.name} was restored` : 'Before a restore'
}

function factsOf({ keptAt, ageSeconds, schema, bytes, files }: KeptState): string {
  return [
    `${formatMoment(keptAt)}, ${formatDuration(ageSeconds)} ago`,
    schema === null ? null : `schema ${schema}${bytes === null ? '' : `, ${formatBytes(bytes)}`}`,
    files === null ? null : `${formatPlural(files.replaced, 'replaced file')}, ${formatPlural(files.added, 'added one')}`,
  ]
    .filter((text) => text !== null)
    .join(' · ')
}
