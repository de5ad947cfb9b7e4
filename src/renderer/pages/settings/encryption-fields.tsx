import { Button, Checkbox, PasswordInput, Switch } from '@mantine/core'
import { useState } from 'react'
import { CopyButton } from '../../components/kbd.tsx'
import { generatePassword } from '../../lib/password.ts'
import type { FieldsProps } from './connection-fields.tsx'
import classes from './settings.module.css'

/** On or off, and the password: entered, or made here and shown once. */
export function EncryptionFields(
  props: FieldsProps & { site: string; hasPassword: boolean; stored: boolean; onStored(stored: boolean): void },
) {
  const { draft, change, site, hasPassword } = props
  const [generated, setGenerated] = useState(false)
  const [replacing, setReplacing] = useState(false)
  const asks = draft.encrypt && (!hasPassword || replacing)
  const setPassword = (encryptionPassword: string, made: boolean) => {
    setGenerated(made)
    props.onStored(false)
    change({ encryptionPassword })
  }
  return (
    <div className={classes.withPanel}>
      <div>
        <div className={classes.switch}>
          <Switch
            id="encrypt"
            checked={draft.encrypt}
            label={<b>Encrypt backups of {site === '' ? 'this site' : site}</b>}
            onChange={(event) => {
              const encrypt = event.currentTarget.checked
              change(encrypt ? { encrypt } : { encrypt, encryptionPassword: '' })
              setReplacing(false)
            }}
          />
          <p>
            {draft.encrypt
              ? 'From the next backup on. Backups made before stay readable without a password.'
              : 'Off: new backups can be read by everyone who can read the files.'}
          </p>
        </div>
        {draft.encrypt && hasPassword && !replacing && (
          <div className={classes.storedPassword}>
            <span>A password is stored for {site}. It is not shown.</span>
            <Button data-size="small" onClick={() => setReplacing(true)}>
              Replace it…
            </Button>
          </div>
        )}
        {asks && generated && (
          <div className={classes.generated}>
            <code data-selectable>{draft.encryptionPassword}</code>
            <CopyButton text={draft.encryptionPassword} label="Copy the password" />
            <Button data-size="small" variant="subtle" onClick={() => setPassword('', false)}>
              Enter one instead
            </Button>
          </div>
        )}
        {asks && !generated && (
          <div className={classes.enter}>
            <PasswordInput
              aria-label="Password for backups"
              placeholder="Password"
              value={draft.encryptionPassword}
              error={props.errors.encryptionPassword}
              visibilityToggleButtonProps={{ 'aria-label': 'Show the password' }}
              onChange={(event) => setPassword(event.currentTarget.value, false)}
            />
            <Button onClick={() => setPassword(generatePassword(), true)}>Generate one</Button>
          </div>
        )}
        {asks && draft.encryptionPassword !== '' && (
          <Checkbox
            label={<b>I have stored it</b>}
            checked={props.stored}
            onChange={(event) => props.onStored(event.currentTarget.checked)}
          />
        )}
        {hasPassword && replacing && (
          <p className={classes.explain}>Backups made until now still need the old password. Keep it as long as you keep them.</p>
        )}
      </div>
      <section className={classes.panel}>
        <p>
          <b>Shown once.</b> A new password is not shown again after you save.
        </p>
        <p>If this computer and the server are both lost, it is the only way to read the .enc files.</p>
        <p className={classes.explain}>
          Kept in the secret store of this computer, protected by the system keyring or your passphrase.
        </p>
      </section>
    </div>
  )
}
