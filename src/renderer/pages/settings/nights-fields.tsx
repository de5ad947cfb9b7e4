import { Checkbox, Select, Switch, TextInput } from '@mantine/core'
import { formatDay } from '#shared/format.ts'
import { inPlace, repositoryNameSchema } from '#shared/model/backup.ts'
import { ComingNights } from '../../components/coming-nights.tsx'
import { ErrorBox, Notice } from '../../components/states.tsx'
import { nextNightText } from '../../lib/next-night.ts'
import { usePlaces } from '../../lib/site-places.ts'
import { useNightlyState } from '../../lib/use-nights.ts'
import { useNights } from '../../queries.ts'
import { useNow } from '../../stores/clock.ts'
import { Field, type FieldsProps } from './field.tsx'
import classes from './settings.module.css'

/** When the site is backed up by itself, into what, and how long each night proves older backups. */
export function NightsFields({ draft, errors, change }: FieldsProps) {
  const nights = useNights()
  const isSaved = usePlaces(draft.name).some(({ repository }) => repository === draft.nightsTo)
  return (
    <div className={classes.withPanel}>
      <div className={classes.fields}>
        <div className={classes.switch}>
          <Switch
            id="nights"
            checked={draft.nights}
            label={<b>Back up {draft.name} every night</b>}
            onChange={(event) => change({ nights: event.currentTarget.checked })}
          />
          <p>
            {draft.nights
              ? 'While Backup Desk runs, in its window or in the tray. A night that was missed is made up on the same UTC day.'
              : 'Off: backups are made when you ask for them.'}
          </p>
        </div>
        <Field label="From" htmlFor="nights-at" hint={localHint(draft.nightsAt)}>
          <div className={classes.time}>
            <TextInput
              id="nights-at"
              className={classes.port}
              value={draft.nightsAt}
              disabled={!draft.nights}
              error={errors.nightsAt}
              onChange={(event) => change({ nightsAt: event.currentTarget.value.replace(/[^\d:]/g, '').slice(0, 5) })}
            />
            <span>UTC</span>
          </div>
        </Field>
        <Field
          label="Into"
          htmlFor="nights-to"
          hint={
            draft.nightsTo === 'vault'
              ? 'The server is read only. Copies on two computers survive the loss of one.'
              : `Each night replaces a slot ${inPlace(draft.nightsTo)}: saving this is confirmed once, with the site’s name.`
          }
        >
          <Select
            id="nights-to"
            allowDeselect={false}
            disabled={!draft.nights}
            value={draft.nightsTo}
            data={[
              { value: 'vault', label: 'The vault on this computer' },
              ...(draft.server === 'none' ? [] : [{ value: 'server', label: 'The server’s folder' }]),
              ...(draft.filestore ? [{ value: 'filestore', label: 'The filestore' }] : []),
            ]}
            onChange={(value) => {
              const nightsTo = repositoryNameSchema.safeParse(value).data
              if (nightsTo) change({ nightsTo })
            }}
          />
        </Field>
        <Field
          label="Parts"
          hint={
            draft.nightsTo === 'filestore'
              ? 'The filestore may hold the media themselves, beside the backups: then the database alone is enough.'
              : 'Media change little; a night without them is quick, but restores no files.'
          }
        >
          <Checkbox
            className={classes.check}
            label="Database only"
            disabled={!draft.nights}
            checked={draft.nightsDatabaseOnly}
            onChange={(event) => change({ nightsDatabaseOnly: event.currentTarget.checked })}
          />
        </Field>
        <Field
          label="Prove for"
          htmlFor="proof-minutes"
          hint="After the backup, older ones are verified and drilled, the one longest ago first. 0: none."
        >
          <div className={classes.time}>
            <TextInput
              id="proof-minutes"
              className={classes.port}
              inputMode="numeric"
              value={draft.proofMinutes}
              disabled={!draft.nights}
              error={errors.proofMinutes}
              onChange={(event) => change({ proofMinutes: event.currentTarget.value.replace(/\D/g, '').slice(0, 3) })}
            />
            <span>minutes</span>
          </div>
        </Field>
      </div>
      <section className={classes.panel} aria-label="Coming nights">
        {nights.error && <ErrorBox error={nights.error} onRetry={() => void nights.refetch()} />}
        <State site={draft.name} isOn={draft.nights} />
        <ComingNights site={draft.name} to={isSaved ? draft.nightsTo : undefined} />
      </section>
    </div>
  )
}

function State({ site, isOn }: { site: string; isOn: boolean }) {
  const state = useNightlyState(site)
  const now = useNow()
  if (!state) return null
  return (
    <>
      <div className={classes.panelHead}>
        <h2>{isOn && !state.schedule.enabled ? 'Nights to come, once this is saved' : nextNightText(state, now)}</h2>
      </div>
      {state.missed !== null && <Notice tone="warn">{state.missed}</Notice>}
      {state.last && (
        <p className={classes.explain} data-selectable>
          Last night, {formatDay(state.last.at)}: {state.last.text}
        </p>
      )}
    </>
  )
}

/** "04:00 on this computer's clock": the plan is by UTC, people live by another. */
function localHint(at: string): string {
  const match = /^([01]\d|2[0-3]):([0-5]\d)$/.exec(at)
  if (!match) return 'As the server counts its nights.'
  const next = new Date()
  next.setUTCHours(Number(match[1]), Number(match[2]), 0, 0)
  const local = next.toLocaleTimeString('en-GB', { hour: '2-digit', minute: '2-digit' })
  return `As the server counts its nights; ${local} on this computer’s clock today.`
}
