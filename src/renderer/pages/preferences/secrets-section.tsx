import { Button, PasswordInput } from '@mantine/core'
import { useState } from 'react'
import type { SecretStoreState } from '#shared/contract/secrets.ts'
import type { AppError } from '#shared/errors.ts'
import { call, readError } from '../../bridge.ts'
import { StateGlyph } from '../../components/state-glyph.tsx'
import { ErrorBox, SkeletonRows } from '../../components/states.tsx'
import { Section } from '../../layout/page.tsx'
import { showError } from '../../lib/show-error.ts'
import { queryClient, useSecretState } from '../../queries.ts'
import { useUi } from '../../stores/ui.ts'
import classes from './preferences.module.css'

/** The store of passwords: whether it is open, what protects it, and the terminal's way in. */
export function SecretsSection() {
  const secrets = useSecretState()
  const [setting, setSetting] = useState(false)
  const state = secrets.data
  return (
    <Section title="Stored passwords">
      {secrets.error && <ErrorBox error={secrets.error} onRetry={() => void secrets.refetch()} />}
      {secrets.isPending && <SkeletonRows rows={1} height={48} label="Reading the state of the store" />}
      {state && (
        <div className={classes.row}>
          <StateGlyph state={state.state === 'unlocked' ? 'ok' : state.state === 'locked' ? 'warn' : 'none'} />
          <div>
            <p>{TITLE[state.state]}</p>
            <p className={classes.explain}>{protection(state)}</p>
          </div>
          <Actions state={state} onSet={() => setSetting(true)} />
        </div>
      )}
      {setting && state?.state === 'unlocked' && <PassphraseForm change={state.hasPassphrase} onDone={() => setSetting(false)} />}
    </Section>
  )
}

const TITLE: Record<SecretStoreState['state'], string> = { none: 'Nothing is stored yet', locked: 'Locked', unlocked: 'Open' }

function protection(state: SecretStoreState): string {
  if (state.state === 'none') return 'Passwords of databases and backups are kept encrypted once you enter the first.'
  if (state.hasKeyring && state.hasPassphrase)
    return 'Protected by the system keyring and by a passphrase, which the terminal program zbd asks for.'
  if (state.hasKeyring)
    return 'Protected by the system keyring. The terminal program zbd cannot reach it: set a passphrase to allow the terminal.'
  return 'Protected by a passphrase; the terminal program zbd asks for the same one.'
}

function Actions({ state, onSet }: { state: SecretStoreState; onSet(): void }) {
  const { askUnlock } = useUi()
  if (state.state !== 'unlocked') {
    return (
      <div className={classes.actions}>
        <Button onClick={() => void askUnlock('')}>{state.state === 'none' ? 'Choose a passphrase…' : 'Unlock…'}</Button>
      </div>
    )
  }
  const lock = () =>
    call('secrets.lock', {}).then((next) => {
      queryClient.setQueryData(['secrets'], next)
    }, showError)
  return (
    <div className={classes.actions}>
      <Button onClick={onSet}>{state.hasPassphrase ? 'Change the passphrase…' : 'Allow the terminal…'}</Button>
      <Button onClick={() => void lock()}>Lock</Button>
    </div>
  )
}

function PassphraseForm({ change, onDone }: { change: boolean; onDone(): void }) {
  const [passphrase, setPassphrase] = useState('')
  const [again, setAgain] = useState('')
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<AppError | null>(null)
  const ready = passphrase !== '' && passphrase === again
  const submit = async () => {
    setBusy(true)
    setError(null)
    try {
      queryClient.setQueryData(['secrets'], await call('secrets.setPassphrase', { passphrase }))
      onDone()
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
        if (ready && !busy) void submit()
      }}
    >
      <PasswordInput
        label="New passphrase"
        autoFocus
        value={passphrase}
        onChange={(event) => setPassphrase(event.currentTarget.value)}
      />
      <PasswordInput
        label="The same again"
        value={again}
        error={again !== '' && again !== passphrase ? 'The two differ.' : undefined}
        onChange={(event) => setAgain(event.currentTarget.value)}
      />
      {error && <ErrorBox error={error} />}
      <div className={classes.actions}>
        <Button onClick={onDone}>Cancel</Button>
        <Button type="submit" variant="filled" disabled={!ready} loading={busy}>
          {change ? 'Change it' : 'Set it'}
        </Button>
      </div>
    </form>
  )
}
