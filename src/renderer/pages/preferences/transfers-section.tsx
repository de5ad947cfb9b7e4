import { Switch, TextInput } from '@mantine/core'
import { useState } from 'react'
import type { Preferences } from '#shared/contract/settings.ts'
import { formatBytes } from '#shared/format.ts'
import { call } from '../../bridge.ts'
import { Section } from '../../layout/page.tsx'
import { showError } from '../../lib/show-error.ts'
import { queryClient } from '../../queries.ts'
import classes from './preferences.module.css'

const FIRST_LIMIT = 1024
const LEAST = 16
const MOST = 10_000_000

/** How much of the line all transfers together may take. */
export function TransfersSection({ preferences }: { preferences: Preferences }) {
  const { transferLimit } = preferences
  const [typed, setTyped] = useState(String(transferLimit ?? FIRST_LIMIT))
  const isOn = transferLimit !== null
  const limit = Number(typed)
  const isWrong = !Number.isInteger(limit) || limit < LEAST || limit > MOST
  const save = (next: number | null) => {
    call('settings.update', { preferences: { transferLimit: next } }).then(
      () => queryClient.invalidateQueries({ queryKey: ['settings'] }),
      showError,
    )
  }
  return (
    <Section title="Transfers">
      <div className={classes.toggle}>
        <Switch
          id="transfer-limit"
          checked={isOn}
          label="Limit how much transfers take"
          onChange={(event) => save(event.currentTarget.checked ? (isWrong ? FIRST_LIMIT : limit) : null)}
        />
        <p className={classes.explain}>
          {isOn
            ? `All together take at most ${formatBytes(transferLimit * 1024)} a second; so does what backups and proofs read over a line. A restore is not held back.`
            : 'Transfers go as fast as the line lets them.'}
        </p>
        {isOn && (
          <div className={classes.limit}>
            <TextInput
              aria-label="KiB a second"
              inputMode="numeric"
              value={typed}
              error={isWrong ? 'From 16 to 10,000,000' : undefined}
              onChange={(event) => setTyped(event.currentTarget.value.replace(/\D/g, '').slice(0, 8))}
              onBlur={() => !isWrong && limit !== transferLimit && save(limit)}
              onKeyDown={(event) => event.key === 'Enter' && !isWrong && limit !== transferLimit && save(limit)}
            />
            <span>KiB a second</span>
          </div>
        )}
      </div>
    </Section>
  )
}
