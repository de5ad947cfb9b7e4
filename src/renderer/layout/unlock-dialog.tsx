import { Button, Modal, PasswordInput } from '@mantine/core'
import { useState } from 'react'
import type { AppError } from '#shared/errors.ts'
import { call, readError } from '../bridge.ts'
import { ErrorBox } from '../components/states.tsx'
import { useSecretState } from '../queries.ts'
import { useUi } from '../stores/ui.ts'
import classes from './unlock-dialog.module.css'

/** Opens or creates the store of passwords; whoever asked goes on afterwards. */
export function UnlockDialog() {
  const unlock = useUi((state) => state.unlock)
  const close = useUi((state) => state.closeUnlock)
  const state = useSecretState().data?.state
  const title = state === 'none' ? 'Choose a passphrase' : 'Unlock stored passwords'
  return (
    <Modal
      opened={unlock !== null}
      onClose={() => close(false)}
      title={title}
      size={440}
      closeButtonProps={{ 'aria-label': 'Cancel' }}
    >
      {unlock !== null && <UnlockForm create={state === 'none'} />}
    </Modal>
  )
}

function UnlockForm({ create }: { create: boolean }) {
  const close = useUi((state) => state.closeUnlock)
  const [passphrase, setPassphrase] = useState('')
  const [again, setAgain] = useState('')
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<AppError | null>(null)
  const differs = create && again !== '' && again !== passphrase
  const ready = passphrase !== '' && (!create || again === passphrase)
  const submit = async () => {
    setBusy(true)
    setError(null)
    try {
      await call('secrets.unlock', { passphrase })
      close(true)
    } catch (thrown) {
      setError(readError(thrown))
      setBusy(false)
    }
  }
  return (
    <form
      className={classes.form}
      onSubmit={(event) => {
        event.preventDefault()
        if (ready && !busy) submit()
      }}
    >
      <p>
        {create
          ? 'It protects the passwords of databases and backups that this computer keeps. They are stored encrypted with it; without it they cannot be read.'
          : 'The passwords of databases and backups are kept encrypted with your passphrase. They stay open until this window closes or you lock them.'}
      </p>
      <PasswordInput
        label="Passphrase"
        value={passphrase}
        data-autofocus
        autoFocus
        onChange={(event) => setPassphrase(event.currentTarget.value)}
      />
      {create && (
        <PasswordInput
          label="The same again"
          value={again}
          error={differs ? 'The two differ.' : undefined}
          onChange={(event) => setAgain(event.currentTarget.value)}
        />
      )}
      {create && (
        <p className={classes.hint}>
          Keep it where you keep other passwords. It cannot be recovered; the terminal program zbd asks for the same one.
        </p>
      )}
      {error && <ErrorBox error={{ ...error.toData(), code: '' }} />}
      <div className={classes.buttons}>
        <Button onClick={() => close(false)}>Cancel</Button>
        <Button type="submit" variant="filled" disabled={!ready} loading={busy}>
          {create ? 'Create store' : 'Unlock'}
        </Button>
      </div>
    </form>
  )
}
