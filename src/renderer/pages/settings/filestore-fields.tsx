import { Checkbox, Switch } from '@mantine/core'
import type { StoredConnectionSecrets } from './connection-fields.tsx'
import { Field, type FieldsProps, PlaceField, SecretField, TextField } from './field.tsx'
import classes from './settings.module.css'

/** The S3-compatible bucket that the site's media and backups go to. */
export function FilestoreFields({ form, stored }: { form: FieldsProps; stored: StoredConnectionSecrets }) {
  const { draft, change } = form
  return (
    <>
      <div className={classes.switch}>
        <Switch
          id="filestore"
          checked={draft.filestore}
          label={<b>This site has a filestore</b>}
          onChange={(event) => change({ filestore: event.currentTarget.checked })}
        />
        <p>An S3-compatible bucket: media in archive, backups in backup, both below the prefix.</p>
      </div>
      {draft.filestore && (
        <>
          <TextField
            form={form}
            field="filestoreEndpoint"
            label="Endpoint"
            placeholder="https://s3.example.org"
            hint="Empty: AWS, by the region."
          />
          <TextField form={form} field="filestoreRegion" label="Region" />
          <TextField form={form} field="filestoreBucket" label="Bucket" />
          <TextField form={form} field="filestorePrefix" label="Prefix" placeholder="the bucket’s root" />
          <TextField form={form} field="filestoreAccessKey" label="Access key" />
          <SecretField
            form={form}
            field="filestoreSecret"
            label="Secret key"
            isStored={stored.hasFilestoreSecret}
            hint="Kept in the secret store of this computer, never in the settings file."
          />
          <Field label="Address" hint="Off only where the server wants the bucket in the host’s name.">
            <Checkbox
              className={classes.check}
              label="The bucket in the path"
              checked={draft.filestorePathStyle}
              onChange={(event) => change({ filestorePathStyle: event.currentTarget.checked })}
            />
          </Field>
          <PlaceField
            form={form}
            field="filestoreCaFile"
            kind="file"
            label="CA"
            hint="PEM file with the authorities to trust. Empty: those of this computer."
          />
        </>
      )}
    </>
  )
}
