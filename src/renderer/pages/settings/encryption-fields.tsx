import { Button, Checkbox, PasswordInput, Switch, TextInput } from '@mantine/core'
import { useState } from 'react'
import { call } from '../../bridge.ts'
import { CopyButton } from '../../components/kbd.tsx'
import { showError } from '../../lib/show-error.ts'
import type { FieldsProps } from './field.tsx'
import { PasswordTestPanel, usePasswordTest } from './password-test.tsx'
import classes from './settings.module.css'

/** On or off, and the password: entered, or made by the engine and shown once. */
export function EncryptionFields(
  props: FieldsProps & { site: string; isKnown: boolean; hasPassword: boolean; stored: boolean; onStored(stored: boolean): void },
) {
  const { draft, change, site, hasPassword } = props
  const [generated, setGenerated] = useState(false)
  const [replacing, setReplacing] = useState(false)
  const trial = usePasswordTest(site)
  const asks = draft.encrypt && (!hasPassword || replacing)
  const setPassword = (encryptionPassword: string, made: boolean) => {
    setGenerated(made)
    props.onStored(false)
    trial.forget()
    change({ encryptionPassword })
  }
  const generate = async () => {
    try {
      setPassword((await call('secrets.generatePassword', {})).password, true)
    } catch (error) {
      showError(error)
    }
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
              setGenerated(false)
            }}
          />
          <p>
            {draft.encrypt
              ? 'From the next backup on. Backups made before stay readable without a password.'
              : 'Off: new backups can be read by everyone who can read the files.'}
          </p>
        </div>
        {hasPassword && !replacing && (
          <div className={classes.storedPassword}>
            <span>
              A password is stored for {site}. It is not shown.
              {draft.storedIn !== '' && <small>You have it in {draft.storedIn}.</small>}
            </span>
            <Button data-size="small" loading={trial.busy} onClick={() => void trial.test()}>
              Test it
            </Button>
            {draft.encrypt && (
              <Button data-size="small" onClick={() => setReplacing(true)}>
                Replace it…
              </Button>
            )}
          </div>
        )}
        {asks && generated && (
          <div className={classes.generated}>
            <code data-selectable>{draft.encryptionPassword}</code>
            <CopyButton text={draft.encryptionPassword} label="Copy the password" word="Copy" />
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
            {props.isKnown && draft.encryptionPassword !== '' && (
              <Button loading={trial.busy} onClick={() => void trial.test(draft.encryptionPassword)}>
                Test it
              </Button>
            )}
            <Button onClick={() => void generate()}>Generate one</Button>
          </div>
        )}
        {asks && draft.encryptionPassword !== '' && (
          <div className={classes.storedIn}>
            <Checkbox
              label={<b>I have stored it</b>}
              checked={props.stored}
              onChange={(event) => props.onStored(event.currentTarget.checked)}
            />
            <label htmlFor="stored-in">in</label>
            <TextInput
              id="stored-in"
              aria-label="Where it is stored"
              placeholder="Password manager, safe, … (optional)"
              maxLength={200}
              value={draft.storedIn}
              onChange={(event) => change({ storedIn: event.currentTarget.value })}
            />
          </div>
        )}
        {hasPassword && replacing && (
          <p className={classes.explain}>
            Backups made until now need the old password. It stays in the secret store for them; keep your own copy as long as you
            keep them.
          </p>
        )}
      </div>
      <div className={classes.panels}>
        <section className={classes.panel}>
          <p>
            <b>Shown once.</b> A new password is not shown again after you save.
          </p>
          <p>If this computer and the server are both lost, it is the only way to read the .enc files.</p>
          <p className={classes.explain}>
            Kept in the secret store of this computer, protected by the system keyring or your passphrase.
          </p>
        </section>
        <PasswordTestPanel site={site} result={trial.result} error={trial.error} />
      </div>
    </div>
  )
}
