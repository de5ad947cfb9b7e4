import { Button, Checkbox, PasswordInput } from '@mantine/core'
import { useEffect, useRef, useState } from 'react'
import type { AppError } from '#shared/errors.ts'
import { call, readError } from '../../bridge.ts'
import type { DecryptRow } from '../../lib/decrypt-rows.ts'
import { showError } from '../../lib/show-error.ts'
import { isTyping } from '../../lib/typing.ts'
import { callUnlocking, useSites } from '../../queries.ts'
import classes from './decrypt.module.css'

/** Asks for one file's password in its row. */
export function PasswordAsk({ row }: { row: DecryptRow }) {
  const known = (useSites().data?.sites ?? []).some(({ site }) => site.name === row.site)
  const site = known ? row.site : null
  const field = useRef<HTMLInputElement>(null)
  // Another file may ask while the password of a first one is typed: that one keeps the keyboard.
  useEffect(() => {
    if (!isTyping(document.activeElement)) field.current?.focus()
  }, [])
  const [password, setPassword] = useState('')
  const [remember, setRemember] = useState(true)
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<AppError | null>(null)
  const submit = async () => {
    setBusy(true)
    setError(null)
    try {
      const { accepted } = await callUnlocking('decrypt.tryPassword', {
        jobId: row.jobId,
        item: row.item.id,
        password,
        ...(site !== null && remember ? { rememberFor: site } : {}),
      })
      if (!accepted) setPassword('')
    } catch (thrown) {
      setError(readError(thrown))
    }
    setBusy(false)
  }
  return (
    <form
      className={classes.ask}
      onSubmit={(event) => {
        event.preventDefault()
        if (password !== '' && !busy) void submit()
      }}
    >
      <PasswordInput
        className={classes.password}
        value={password}
        ref={field}
        aria-label={`Password of ${row.file}`}
        placeholder="Password"
        error={error?.message}
        visibilityToggleButtonProps={{ 'aria-label': 'Show the password' }}
        onChange={(event) => setPassword(event.currentTarget.value)}
      />
      <Button type="submit" variant="filled" disabled={password === ''} loading={busy}>
        Try
      </Button>
      <Button
        variant="subtle"
        aria-label={`Skip ${row.file}`}
        onClick={() => void call('decrypt.skip', { jobId: row.jobId, item: row.item.id }).catch(showError)}
      >
        Skip
      </Button>
      {site !== null && (
        <Checkbox
          label={`Remember for ${site}`}
          checked={remember}
          onChange={(event) => setRemember(event.currentTarget.checked)}
        />
      )}
    </form>
  )
}
