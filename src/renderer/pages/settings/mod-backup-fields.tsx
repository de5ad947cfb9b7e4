import { Button, Checkbox, Select, TextInput } from '@mantine/core'
import { useState } from 'react'
import { type ModBackupSettings, modBackupSettingsSchema } from '#shared/contract/servers.ts'
import type { AppError } from '#shared/errors.ts'
import { readError } from '../../bridge.ts'
import { ErrorBox, Notice, SkeletonRows } from '../../components/states.tsx'
import { callUnlocking, queryClient, useModBackup } from '../../queries.ts'
import { Field } from './field.tsx'
import classes from './settings.module.css'

const DUMPS = [
  { value: '1', label: 'Database and files, each night' },
  { value: '2', label: 'Database only, each night' },
  { value: '0', label: 'None' },
]

const CHOICES: { name: keyof ModBackupSettings & Booleans; label: string }[] = [
  { name: 'encrypt_backups', label: 'Encrypt them' },
  { name: 'allow_manual_backup', label: 'Let administrators start one' },
  { name: 'allow_backup_download', label: 'Let administrators download them' },
  { name: 'admin_panel', label: 'Show the revisions panel in the admin' },
]

const NUMBERS: { name: keyof ModBackupSettings & Numbers; label: string; unit: string; hint: string; range: string }[] = [
  {
    name: 'revision_retention_months',
    label: 'Revisions',
    unit: 'months',
    hint: 'How long edits are kept.',
    range: '1 to 1,200',
  },
  {
    name: 'user_revision_retention_days',
    label: 'Of users',
    unit: 'days',
    hint: 'How long edits of accounts are kept.',
    range: '1 to 36,500',
  },
  {
    name: 'user_deletion_retention_days',
    label: 'Deleted users',
    unit: 'days',
    hint: 'How long they can be recovered.',
    range: '1 to 30',
  },
]

type Booleans = { [K in keyof ModBackupSettings]: ModBackupSettings[K] extends boolean ? K : never }[keyof ModBackupSettings]
type Numbers = { [K in keyof ModBackupSettings]: ModBackupSettings[K] extends number ? K : never }[keyof ModBackupSettings]

/** What the server's own backup module is set to, read from the site's database; changes are confirmed and then flushed. */
export function ModBackupFields({ site }: { site: string }) {
  const read = useModBackup(site)
  // what became of a change is still to be read when the form starts from it
  const saving = useSave(site)
  if (read.data) {
    const { settings } = read.data
    return <Loaded key={JSON.stringify(settings)} site={site} settings={settings} saving={saving} />
  }
  if (read.error)
    return (
      <ErrorBox title="The server’s backup settings could not be read." error={read.error} onRetry={() => void read.refetch()} />
    )
  return <SkeletonRows rows={6} height={32} label="Reading the server’s backup settings" />
}

function Loaded({ site, settings, saving }: { site: string; settings: ModBackupSettings; saving: ReturnType<typeof useSave> }) {
  const [draft, setDraft] = useState(settings)
  const { busy, error, outcome, save } = saving
  const changed = changesOf(settings, draft)
  const count = Object.keys(changed).length
  const wrong = modBackupSettingsSchema.safeParse(draft).error?.issues.map(({ path }) => path[0]) ?? []
  const set = (change: Partial<ModBackupSettings>) => setDraft((now) => ({ ...now, ...change }))
  return (
    <div className={classes.fields}>
      <Field label="Backups" htmlFor="daily_dump">
        <Select
          id="daily_dump"
          allowDeselect={false}
          value={String(draft.daily_dump)}
          data={DUMPS}
          onChange={(value) => value !== null && set({ daily_dump: Number(value) })}
        />
      </Field>
      <Field label="Choices">
        {CHOICES.map(({ name, label }) => (
          <Checkbox
            key={name}
            className={classes.check}
            label={label}
            checked={draft[name]}
            onChange={(event) => set({ [name]: event.currentTarget.checked })}
          />
        ))}
      </Field>
      {NUMBERS.map(({ name, label, unit, hint, range }) => (
        <Field key={name} label={label} htmlFor={name} hint={hint}>
          <div className={classes.time}>
            <TextInput
              id={name}
              className={classes.port}
              inputMode="numeric"
              value={Number.isNaN(draft[name]) ? '' : String(draft[name])}
              error={wrong.includes(name) ? range : undefined}
              onChange={(event) => {
                const digits = event.currentTarget.value.replace(/\D/g, '').slice(0, 6)
                set({ [name]: digits === '' ? Number.NaN : Number(digits) })
              }}
            />
            <span>{unit}</span>
          </div>
        </Field>
      ))}
      {error && <ErrorBox title={error.code === 'commit-unknown' ? 'Perhaps changed.' : 'Not changed.'} error={error} />}
      {outcome !== null && <Notice tone={outcome.tone}>{outcome.text}</Notice>}
      <div className={classes.testButton}>
        <Button
          variant="danger"
          disabled={count === 0 || wrong.length > 0}
          loading={busy}
          aria-label={`Change the backup settings on the server of ${site}`}
          onClick={() => save(changed)}
        >
          Change on the server…
        </Button>
        <span>{count === 0 ? 'As the server has it' : 'Asks first; then the site is flushed'}</span>
      </div>
    </div>
  )
}

function useSave(site: string) {
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<AppError | null>(null)
  const [outcome, setOutcome] = useState<{ tone: 'ok' | 'warn' | 'info'; text: string } | null>(null)
  const save = async (settings: Partial<ModBackupSettings>) => {
    setBusy(true)
    setError(null)
    setOutcome(null)
    try {
      const { updated, flushed, advice } = await callUnlocking('servers.updateBackupSettings', { site, settings })
      if (!updated) setOutcome({ tone: 'info', text: advice })
      else setOutcome({ tone: flushed === false ? 'warn' : 'ok', text: advice === '' ? 'Changed on the server.' : advice })
      await queryClient.invalidateQueries({ queryKey: ['mod-backup', site] })
    } catch (thrown) {
      setError(readError(thrown))
    }
    setBusy(false)
  }
  return { busy, error, outcome, save: (settings: Partial<ModBackupSettings>) => void save(settings) }
}

function changesOf(before: ModBackupSettings, after: ModBackupSettings): Partial<ModBackupSettings> {
  return Object.fromEntries(
    Object.entries(after).filter(([name, value]) => before[name as keyof ModBackupSettings] !== value),
  ) as Partial<ModBackupSettings>
}
