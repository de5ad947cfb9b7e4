import { Select, TextInput } from '@mantine/core'
import type { StoredConnectionSecrets } from './connection-fields.tsx'
import { Field, type FieldsProps, HostFields, PlaceField, SecretField, TextField } from './field.tsx'

/** How the site's database is reached: directly or through the server's SSH connection, in the clear or by TLS. */
export function DatabaseFields({ form, stored }: { form: FieldsProps; stored: StoredConnectionSecrets }) {
  const { draft, errors, change } = form
  const isTunnel = draft.server === 'ssh' && draft.databaseVia === 'ssh'
  return (
    <>
      {draft.server === 'ssh' && (
        <Field label="Reached" htmlFor="databaseVia">
          <Select
            id="databaseVia"
            allowDeselect={false}
            value={draft.databaseVia}
            data={[
              { value: 'ssh', label: 'Through SSH, by the server' },
              { value: 'direct', label: 'Directly from this computer' },
            ]}
            onChange={(databaseVia) => (databaseVia === 'ssh' || databaseVia === 'direct') && change({ databaseVia })}
          />
        </Field>
      )}
      <Field
        label="Host and port"
        htmlFor="host"
        hint={isTunnel ? 'As the server sees it: a name, an address, or the folder of its Unix socket.' : undefined}
      >
        <HostFields form={form} port="port">
          <TextInput
            id="host"
            spellCheck={false}
            value={draft.host}
            error={errors.host}
            onChange={(event) => change({ host: event.currentTarget.value })}
          />
        </HostFields>
      </Field>
      <TextField form={form} field="database" label="Database" />
      <TextField form={form} field="schema" label="Schema" hint="Zotonic keeps a site in a schema of the site’s name." />
      <TextField form={form} field="user" label="User" />
      <SecretField
        form={form}
        field="password"
        label="Password"
        isStored={stored.hasDatabasePassword}
        hint="Kept in the secret store of this computer, never in the settings file."
      />
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
      {draft.tls === 'verify-full' && (
        <PlaceField
          form={form}
          field="databaseCaFile"
          kind="file"
          label="CA"
          hint="PEM file with the authorities to trust. Empty: those of this computer."
        />
      )}
      {draft.tls !== 'disable' && (
        <>
          <PlaceField
            form={form}
            field="certificateFile"
            kind="file"
            label="Certificate"
            placeholder="none"
            hint="PEM file to log in with, when the database asks for one."
          />
          {draft.certificateFile !== '' && (
            <PlaceField
              form={form}
              field="certificateKeyFile"
              kind="file"
              label="Its key"
              hint="PEM file of the certificate’s key."
            />
          )}
        </>
      )}
    </>
  )
}
