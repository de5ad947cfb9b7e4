import { Button, PasswordInput, Select, TextInput } from '@mantine/core'
import type { ReactNode } from 'react'
import { desk } from '../../bridge.ts'
import { SegmentedFilter } from '../../components/filters.tsx'
import { type GlyphState, StateGlyph } from '../../components/state-glyph.tsx'
import { showError } from '../../lib/show-error.ts'
import type { DraftErrors, SiteDraft } from '../../lib/site-draft.ts'
import classes from './settings.module.css'

export interface FieldsProps {
  draft: SiteDraft
  errors: DraftErrors
  change(change: Partial<SiteDraft>): void
}

export type ConnectionPart = 'server' | 'database' | 'vault'

export function ConnectionFields(
  props: FieldsProps & {
    part: ConnectionPart
    onPart(part: ConnectionPart): void
    glyphs: Record<ConnectionPart, GlyphState>
    hasPassword: boolean
    defaultVault: string
  },
) {
  const { part, glyphs } = props
  const glyph = (state: GlyphState) => <StateGlyph state={state} size={10} />
  return (
    <div className={classes.fields}>
      <SegmentedFilter
        label="Connection"
        value={part}
        onChange={props.onPart}
        options={[
          { value: 'database', label: 'Database', glyph: glyph(glyphs.database) },
          { value: 'server', label: 'Server', glyph: glyph(glyphs.server) },
          { value: 'vault', label: 'Vault', glyph: glyph(glyphs.vault) },
        ]}
      />
      {part === 'database' && <DatabaseFields {...props} />}
      {part === 'server' && <ServerFields {...props} />}
      {part === 'vault' && <VaultFields {...props} />}
    </div>
  )
}

export function Field({
  label,
  hint,
  children,
  htmlFor,
}: {
  label: string
  hint?: ReactNode
  children: ReactNode
  htmlFor?: string
}) {
  return (
    <div className={classes.field}>
      <label htmlFor={htmlFor}>{label}</label>
      <div>
        {children}
        {hint !== undefined && <p>{hint}</p>}
      </div>
    </div>
  )
}

function DatabaseFields({ draft, errors, change, hasPassword }: FieldsProps & { hasPassword: boolean }) {
  return (
    <>
      <Field label="Host and port" htmlFor="host">
        <div className={classes.pair}>
          <TextInput
            id="host"
            value={draft.host}
            error={errors.host}
            onChange={(event) => change({ host: event.currentTarget.value })}
          />
          <TextInput
            className={classes.port}
            aria-label="Port"
            inputMode="numeric"
            value={draft.port}
            error={errors.port}
            onChange={(event) => change({ port: event.currentTarget.value.replace(/\D/g, '') })}
          />
        </div>
      </Field>
      <Field label="Database" htmlFor="database">
        <TextInput
          id="database"
          value={draft.database}
          error={errors.database}
          onChange={(event) => change({ database: event.currentTarget.value })}
        />
      </Field>
      <Field label="Schema" htmlFor="schema" hint="Zotonic keeps a site in a schema of the site's name.">
        <TextInput
          id="schema"
          value={draft.schema}
          error={errors.schema}
          onChange={(event) => change({ schema: event.currentTarget.value })}
        />
      </Field>
      <Field label="User" htmlFor="user">
        <TextInput
          id="user"
          value={draft.user}
          error={errors.user}
          onChange={(event) => change({ user: event.currentTarget.value })}
        />
      </Field>
      <Field label="Password" htmlFor="password" hint="Kept in the secret store of this computer, never in the settings file.">
        <PasswordInput
          id="password"
          value={draft.password}
          error={errors.password}
          placeholder={hasPassword ? 'Stored; empty leaves it as it is' : 'None stored'}
          visibilityToggleButtonProps={{ 'aria-label': 'Show the password' }}
          onChange={(event) => change({ password: event.currentTarget.value })}
        />
      </Field>
      <Field label="TLS" htmlFor="tls">
        <Select
          id="tls"
          allowDeselect={false}
          value={draft.tls}
          data={[
            { value: 'disable', label: 'Off' },
            { value: 'require', label: 'On, certificate not checked' },
            { value: 'verify-full', label: 'On, certificate and host checked' },
          ]}
          onChange={(tls) => (tls === 'disable' || tls === 'require' || tls === 'verify-full') && change({ tls })}
        />
      </Field>
    </>
  )
}

function ServerFields({ draft, errors, change }: FieldsProps) {
  return (
    <>
      <Field label="Kind" htmlFor="server-kind">
        <Select
          id="server-kind"
          allowDeselect={false}
          value={draft.server}
          data={[
            { value: 'none', label: 'None: the database only' },
            { value: 'folder', label: 'Folders on this computer' },
          ]}
          onChange={(server) => (server === 'none' || server === 'folder') && change({ server })}
        />
      </Field>
      {draft.server === 'none' ? (
        <p className={classes.explain}>
          Without a server only the database is backed up, into the vault. Media and configuration are left out.
        </p>
      ) : (
        <>
          <FolderField
            label="Site folder"
            field="siteDir"
            hint="Holds the site's own code and configuration."
            draft={draft}
            errors={errors}
            change={change}
          />
          <FolderField
            label="Files folder"
            field="filesDir"
            hint="Holds archive (the media) and backup."
            draft={draft}
            errors={errors}
            change={change}
          />
          <FolderField
            label="Security folder"
            field="securityDir"
            hint="Holds certificates and keys."
            draft={draft}
            errors={errors}
            change={change}
          />
          <FolderField
            label="Backup folder"
            field="backupDir"
            placeholder={draft.filesDir === '' ? 'backup in the files folder' : `${draft.filesDir.replace(/\/$/, '')}/backup`}
            hint="Empty: backup in the files folder."
            draft={draft}
            errors={errors}
            change={change}
          />
        </>
      )}
    </>
  )
}

function VaultFields({ draft, errors, change, defaultVault }: FieldsProps & { defaultVault: string }) {
  return (
    <FolderField
      label="Vault folder"
      field="vaultPath"
      placeholder={defaultVault === '' ? 'in the data folder of Backup Desk' : defaultVault}
      hint="This computer's backups of the site, laid out exactly like the server's. Empty: a folder of its own."
      draft={draft}
      errors={errors}
      change={change}
    />
  )
}

type FolderName = 'siteDir' | 'filesDir' | 'securityDir' | 'backupDir' | 'vaultPath'

function FolderField({
  label,
  field,
  hint,
  placeholder,
  draft,
  errors,
  change,
}: FieldsProps & { label: string; field: FolderName; hint: string; placeholder?: string }) {
  const choose = () => desk.chooseFolder(label).then((folder) => folder !== null && change({ [field]: folder }), showError)
  return (
    <Field label={label} htmlFor={field} hint={hint}>
      <div className={classes.pair}>
        <TextInput
          id={field}
          className={classes.path}
          value={draft[field]}
          error={errors[field]}
          placeholder={placeholder}
          onChange={(event) => change({ [field]: event.currentTarget.value })}
        />
        <Button aria-label={`Choose the ${label.toLowerCase()}`} onClick={() => void choose()}>
          Choose…
        </Button>
      </div>
    </Field>
  )
}
