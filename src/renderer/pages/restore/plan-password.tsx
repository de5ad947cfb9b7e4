import { Button, PasswordInput } from '@mantine/core'
import { useState } from 'react'
import classes from './restore.module.css'

/** The backup is encrypted and no stored password fits: asks for one, for this plan only. */
export function PlanPassword({ name, onTry }: { name: string; onTry(password: string): void }) {
  const [password, setPassword] = useState('')
  return (
    <form
      className={classes.password}
      onSubmit={(event) => {
        event.preventDefault()
        if (password !== '') onTry(password)
      }}
    >
      <PasswordInput
        value={password}
        autoFocus
        aria-label={`Password of ${name}`}
        placeholder={`Password of ${name}`}
        onChange={(event) => setPassword(event.currentTarget.value)}
      />
      <Button type="submit" variant="filled" disabled={password === ''}>
        Try
      </Button>
    </form>
  )
}
