import { useState } from 'react'
import { inputOf } from '../../lib/site-draft.ts'
import type { SettingsSection } from '../../stores/ui.ts'
import { ConnectionFields, type ConnectionPart, type StoredConnectionSecrets } from './connection-fields.tsx'
import { connectionGlyphs, TestButton, TestPanel, useConnectionTest } from './connection-test.tsx'
import { DumpFields } from './dump-fields.tsx'
import { EncryptionFields } from './encryption-fields.tsx'
import type { FieldsProps } from './field.tsx'
import { NightsFields } from './nights-fields.tsx'
import { OnServer } from './on-server.tsx'
import { RotationFields } from './rotation-fields.tsx'
import classes from './settings.module.css'

const ALL_TABS: { value: SettingsSection; label: string }[] = [
  { value: 'connections', label: 'Connections' },
  { value: 'server', label: 'On the server' },
  { value: 'encryption', label: 'Encryption' },
  { value: 'nights', label: 'Nights' },
  { value: 'dump', label: 'Dump' },
  { value: 'rotation', label: 'Rotation' },
]

/** A site that is not added yet has no nights, and its server's own backups are not looked at. */
export function SettingsTabs(props: { tab: SettingsSection; onTab(tab: SettingsSection): void; isNew?: boolean }) {
  const { tab, onTab } = props
  const tabs = props.isNew ? ALL_TABS.filter(({ value }) => value !== 'nights' && value !== 'server') : ALL_TABS
  return (
    <div className={classes.tabs} role="tablist" aria-label="Settings">
      {tabs.map(({ value, label }, index) => (
        <button
          key={value}
          type="button"
          role="tab"
          id={`tab-${value}`}
          aria-selected={tab === value}
          aria-controls="settings-panel"
          tabIndex={tab === value ? 0 : -1}
          onClick={() => onTab(value)}
          onKeyDown={(event) => {
            const step = event.key === 'ArrowRight' ? 1 : event.key === 'ArrowLeft' ? -1 : 0
            const next = tabs[(index + step + tabs.length) % tabs.length]
            if (step === 0 || !next) return
            onTab(next.value)
            document.getElementById(`tab-${next.value}`)?.focus()
          }}
        >
          {label}
        </button>
      ))}
    </div>
  )
}

/** The form of a site, new or known; the test stands beside it. */
export function SettingsForm(
  props: FieldsProps & {
    tab: SettingsSection
    /** False while it is being added. */
    isKnown: boolean
    /** Another one when the form was saved or discarded: what was being entered is over. */
    round?: number
    stored: StoredConnectionSecrets
    hasEncryptionPassword: boolean
    defaultVault: string
    isStored: boolean
    onStored(stored: boolean): void
  },
) {
  const { draft, errors, change, tab } = props
  const [part, setPart] = useState<ConnectionPart>(draft.server === 'ssh' ? 'server' : 'database')
  const { result, error, busy, test } = useConnectionTest()
  const runTest = () => void test(inputOf(draft))
  return (
    <div id="settings-panel" role="tabpanel" aria-labelledby={`tab-${tab}`}>
      {tab === 'connections' && (
        <div className={classes.withPanel}>
          <div>
            <ConnectionFields
              draft={draft}
              errors={errors}
              change={change}
              part={part}
              onPart={setPart}
              glyphs={connectionGlyphs(result)}
              stored={props.stored}
              defaultVault={props.defaultVault}
            />
            <TestButton busy={busy} tested={result !== null} disabled={hasConnectionErrors(errors)} onTest={runTest} />
          </div>
          <TestPanel result={result} error={error} busy={busy} onTest={runTest} />
        </div>
      )}
      {tab === 'server' && <OnServer draft={draft} />}
      {tab === 'encryption' && (
        <EncryptionFields
          key={props.round}
          draft={draft}
          errors={errors}
          change={change}
          site={draft.name}
          isKnown={props.isKnown}
          hasPassword={props.hasEncryptionPassword}
          stored={props.isStored}
          onStored={props.onStored}
        />
      )}
      {tab === 'nights' && <NightsFields draft={draft} errors={errors} change={change} />}
      {tab === 'dump' && <DumpFields draft={draft} errors={errors} change={change} />}
      {tab === 'rotation' && <RotationFields draft={draft} errors={errors} change={change} />}
    </div>
  )
}

const NO_CONNECTION = new Set(['encryptionPassword', 'nightsAt', 'proofMinutes'])

function hasConnectionErrors(errors: FieldsProps['errors']): boolean {
  return Object.keys(errors).some((field) => !NO_CONNECTION.has(field))
}
