import { Checkbox, Select, Switch, TextInput } from '@mantine/core'
import { useId, useState } from 'react'
import type { RestorePlan } from '#shared/model/plan.ts'
import type { RestoreOptions } from '../../lib/use-restore.ts'
import { useSites } from '../../queries.ts'
import classes from './plan-options.module.css'

interface OptionsProps {
  plan: RestorePlan
  options: RestoreOptions
  busy: boolean
  onChange(change: Partial<RestoreOptions>): void
}

/** The first way back: what the site holds now goes into the vault before anything is written. */
export function SafetyBackupOption({ plan, options, busy, onChange }: OptionsProps) {
  const id = useId()
  return (
    <div className={classes.switch}>
      <Switch
        id={id}
        checked={options.safetyBackup}
        disabled={busy}
        onChange={(event) => onChange({ safetyBackup: event.currentTarget.checked })}
      />
      <label htmlFor={id}>
        <b>Make a safety backup first</b>
        <span>
          {plan.safetyBackup === null
            ? 'Switched off: the kept schema is then the only copy of what the site holds now.'
            : 'What the site holds now goes into the vault before anything is written.'}
        </span>
      </label>
    </div>
  )
}

/** Over a slow line, or when the dump lies on the server already, its own psql is the quicker way. Only for servers behind SSH. */
export function LoaderOption({ plan, options, busy, onChange }: OptionsProps) {
  const id = useId()
  const sites = useSites().data?.sites ?? []
  const isRemote = sites.find(({ site }) => site.name === options.onto)?.site.server?.kind === 'ssh'
  if (!isRemote || !plan.parts.includes('database')) return null
  const tried = plan.checks.find(({ name }) => name === 'Loader')
  return (
    <div className={classes.loader}>
      <Switch
        id={id}
        checked={options.loader === 'server'}
        disabled={busy}
        onChange={(event) => onChange({ loader: event.currentTarget.checked ? 'server' : 'here' })}
      />
      <label htmlFor={id}>
        <b>Load the database with psql on the server</b>
        <span>
          {tried ? `${tried.finding}.` : 'Otherwise every row travels from here. A dump that lies there already does not travel.'}
        </span>
      </label>
    </div>
  )
}

/** For a staging copy, and for databases whose roles are other ones. */
export function MoreOptions({ plan, options, busy, onChange }: OptionsProps) {
  const sites = useSites().data?.sites ?? []
  const [schema, setSchema] = useState(options.schema ?? '')
  const isUsual = options.onto === plan.sourceSite && options.schema === null && !options.withoutOwners && !options.withoutGrants
  const writeSchema = () => {
    const wanted = schema.trim() === '' ? null : schema.trim()
    if (wanted !== options.schema) onChange({ schema: wanted })
  }
  return (
    <details className={classes.more} open={!isUsual || undefined}>
      <summary>Onto another site or schema, owners, grants</summary>
      <div className={classes.fields}>
        <Select
          label="Onto the site"
          data={sites.map(({ site }) => site.name)}
          value={options.onto}
          disabled={busy}
          allowDeselect={false}
          onChange={(onto) => onto !== null && onChange({ onto, loader: 'here' })}
        />
        <TextInput
          label="Into the schema"
          placeholder="the site’s own"
          value={schema}
          disabled={busy}
          spellCheck={false}
          onChange={(event) => setSchema(event.currentTarget.value)}
          onBlur={writeSchema}
          onKeyDown={(event) => event.key === 'Enter' && writeSchema()}
        />
        <Checkbox
          label="Without owners: everything belongs to the role that restores"
          checked={options.withoutOwners}
          disabled={busy}
          onChange={(event) => onChange({ withoutOwners: event.currentTarget.checked })}
        />
        <Checkbox
          label="Without grants: rights of other roles are left out"
          checked={options.withoutGrants}
          disabled={busy}
          onChange={(event) => onChange({ withoutGrants: event.currentTarget.checked })}
        />
      </div>
    </details>
  )
}
