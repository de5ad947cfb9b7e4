import { Autocomplete, Select } from '@mantine/core'
import { useHostAliases } from '../../queries.ts'
import type { StoredConnectionSecrets } from './connection-fields.tsx'
import { Field, type FieldsProps, HostFields, PlaceField, SecretField, TextField } from './field.tsx'
import classes from './settings.module.css'

const LOG_IN = [
  { value: 'auto', label: 'As ssh does: agent, key files, password' },
  { value: 'agent', label: 'Key from the SSH agent' },
  { value: 'key', label: 'Key file' },
  { value: 'password', label: 'Password' },
] as const

const KIND = [
  { value: 'ssh', label: 'SSH' },
  { value: 'folder', label: 'Folders on this computer' },
  { value: 'none', label: 'None: the database only' },
] as const

/** Where the site runs: a machine that is reached by SSH, folders on this computer, or nothing beside the database. */
export function ServerFields({ form, stored }: { form: FieldsProps; stored: StoredConnectionSecrets }) {
  const { draft, change } = form
  return (
    <>
      <Field label="Kind" htmlFor="server-kind">
        <Select
          id="server-kind"
          allowDeselect={false}
          value={draft.server}
          data={KIND}
          onChange={(value) => {
            const kind = KIND.find((candidate) => candidate.value === value)
            if (kind) change({ server: kind.value })
          }}
        />
      </Field>
      {draft.server === 'none' && (
        <p className={classes.explain}>
          Without a server only the database is backed up, into the vault. Media and configuration are left out.
        </p>
      )}
      {draft.server === 'ssh' && (
        <>
          <SshFields form={form} stored={stored} />
          <ServerFolders form={form} />
          <ZotonicFields form={form} />
        </>
      )}
      {draft.server === 'folder' && <LocalFolders form={form} />}
    </>
  )
}

/** How a machine is reached and logged in to. What is left empty comes from `~/.ssh/config`, then from SSH's own rules. */
export function SshFields({
  form,
  stored,
}: {
  form: FieldsProps
  stored: Pick<StoredConnectionSecrets, 'hasSshPassword' | 'hasSshPassphrase'>
}) {
  const { draft, errors, change } = form
  const aliases = useHostAliases().data?.aliases ?? []
  const names = [...new Set(aliases.map(({ alias }) => alias))]
  const chosen = aliases.find(({ alias }) => alias === draft.sshHost)
  return (
    <>
      <Field
        label="Host and port"
        htmlFor="sshHost"
        hint={
          chosen
            ? `An alias of ~/.ssh/config: ${chosen.user === null ? '' : `${chosen.user}@`}${chosen.host}`
            : 'A name, an address, or an alias of ~/.ssh/config.'
        }
      >
        <HostFields form={form} port="sshPort" portHint="22">
          <Autocomplete
            id="sshHost"
            spellCheck={false}
            value={draft.sshHost}
            error={errors.sshHost}
            data={names}
            onChange={(sshHost) => change({ sshHost: sshHost.trim() })}
          />
        </HostFields>
      </Field>
      <TextField form={form} field="sshUser" label="User" placeholder={chosen?.user ?? 'as ~/.ssh/config says, else yours'} />
      <Field label="Log in with" htmlFor="sshAuth" hint={draft.sshAuth === 'agent' ? 'Private keys are not copied.' : undefined}>
        <Select
          id="sshAuth"
          allowDeselect={false}
          value={draft.sshAuth}
          data={LOG_IN}
          onChange={(value) => {
            const method = LOG_IN.find((candidate) => candidate.value === value)
            if (method) change({ sshAuth: method.value })
          }}
        />
      </Field>
      {draft.sshAuth === 'key' && (
        <PlaceField form={form} field="sshKeyFile" kind="file" label="Key file" hint="It stays where it is; it is not copied." />
      )}
      {(draft.sshAuth === 'key' || draft.sshAuth === 'auto') && (
        <SecretField
          form={form}
          field="sshPassphrase"
          label="Passphrase"
          isStored={stored.hasSshPassphrase}
          hint="Of the key file, if it has one. Kept in the secret store."
        />
      )}
      {(draft.sshAuth === 'password' || draft.sshAuth === 'auto') && (
        <SecretField
          form={form}
          field="sshPassword"
          label="Password"
          isStored={stored.hasSshPassword}
          hint="For this server and for jump hosts that ask for one. Kept in the secret store."
        />
      )}
      <TextField
        form={form}
        field="sshJumps"
        label="Jump hosts"
        placeholder="none"
        hint="USER@HOST:PORT, the nearest first, apart by commas."
      />
    </>
  )
}

function ServerFolders({ form }: { form: FieldsProps }) {
  return (
    <>
      <TextField form={form} field="siteDir" label="Site folder" mono hint="On the server, as zotonic sitedir tells it." />
      <TextField form={form} field="filesDir" label="Files folder" mono hint="Holds archive (the media) and backup." />
      <TextField form={form} field="securityDir" label="Security folder" mono hint="Holds certificates and keys." />
      <TextField form={form} field="backupDir" label="Backup folder" mono placeholder={backupPlaceholder(form)} />
    </>
  )
}

/** Zotonic's own command on the server, and who runs it. */
export function ZotonicFields({ form }: { form: FieldsProps }) {
  return (
    <>
      <TextField form={form} field="zotonicCommand" label="Zotonic command" mono placeholder="looked for" />
      <TextField
        form={form}
        field="zotonicRunAs"
        label="Run it as"
        placeholder="who logs in"
        hint="Another user of the server, by sudo -n -u."
      />
    </>
  )
}

function LocalFolders({ form }: { form: FieldsProps }) {
  return (
    <>
      <PlaceField
        form={form}
        field="siteDir"
        kind="folder"
        label="Site folder"
        hint="Holds the site’s own code and configuration."
      />
      <PlaceField form={form} field="filesDir" kind="folder" label="Files folder" hint="Holds archive (the media) and backup." />
      <PlaceField form={form} field="securityDir" kind="folder" label="Security folder" hint="Holds certificates and keys." />
      <PlaceField
        form={form}
        field="backupDir"
        kind="folder"
        label="Backup folder"
        placeholder={backupPlaceholder(form)}
        hint="Empty: backup in the files folder."
      />
    </>
  )
}

function backupPlaceholder({ draft }: FieldsProps): string {
  return draft.filesDir === '' ? 'backup in the files folder' : `${draft.filesDir.replace(/\/$/, '')}/backup`
}
