import { Switch } from '@mantine/core'
import { useState } from 'react'
import type { Preferences } from '#shared/contract/settings.ts'
import { call } from '../../bridge.ts'
import { Section } from '../../layout/page.tsx'
import { showError } from '../../lib/show-error.ts'
import { queryClient } from '../../queries.ts'
import classes from './preferences.module.css'

type Choice = 'stayInTray' | 'startAtLogin'

const CHOICES: { choice: Choice; label: string; text: string }[] = [
  {
    choice: 'stayInTray',
    label: 'Stay in the tray when the window is closed',
    text: 'The nights go on without a window. Quit, in the menu of the tray, ends everything.',
  },
  {
    choice: 'startAtLogin',
    label: 'Start at login',
    text: 'After a restart of this computer the nights go on once you log in.',
  },
]

/** What keeps the nights running while nobody looks. */
export function BackgroundSection({ preferences }: { preferences: Preferences }) {
  return (
    <Section title="In the background" aside="A night is backed up only while Backup Desk runs.">
      {CHOICES.map(({ choice, label, text }) => (
        <BackgroundChoice key={choice} choice={choice} label={label} text={text} isOn={preferences[choice]} />
      ))}
    </Section>
  )
}

function BackgroundChoice({ choice, label, text, isOn }: { choice: Choice; label: string; text: string; isOn: boolean }) {
  const [chosen, setChosen] = useState(isOn)
  const set = (next: boolean) => {
    setChosen(next)
    call('settings.update', { preferences: { [choice]: next } }).then(
      () => queryClient.invalidateQueries({ queryKey: ['settings'] }),
      (error) => {
        setChosen(isOn)
        showError(error)
      },
    )
  }
  return (
    <div className={classes.toggle}>
      <Switch id={choice} checked={chosen} label={label} onChange={(event) => set(event.currentTarget.checked)} />
      <p className={classes.explain}>{text}</p>
    </div>
  )
}
