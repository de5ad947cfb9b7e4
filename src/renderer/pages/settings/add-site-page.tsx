import { Button, TextInput } from '@mantine/core'
import { useState } from 'react'
import type { AppError } from '#shared/errors.ts'
import { readError } from '../../bridge.ts'
import { ErrorBox } from '../../components/states.tsx'
import { Page, PageBody } from '../../layout/page.tsx'
import { type DraftErrors, draftErrors, EMPTY_DRAFT, inputOf, type SiteDraft } from '../../lib/site-draft.ts'
import { leaveUnsaved, useUnsaved } from '../../lib/use-unsaved.ts'
import { callUnlocking, queryClient } from '../../queries.ts'
import { navigate, type SettingsSection } from '../../stores/ui.ts'
import { Field } from './connection-fields.tsx'
import classes from './settings.module.css'
import { SettingsForm, SettingsTabs } from './settings-form.tsx'

/** A new site: the same form as its settings, with a name. */
export function AddSitePage() {
  const [draft, setDraft] = useState(EMPTY_DRAFT)
  const [touched, setTouched] = useState<ReadonlySet<string>>(new Set())
  const [tab, setTab] = useState<SettingsSection>('connections')
  const [stored, setStored] = useState(false)
  const [error, setError] = useState<AppError | null>(null)
  const [busy, setBusy] = useState(false)
  const errors = draftErrors(draft, false)
  const missing = Object.values(errors)
  const mustStore = draft.encryptionPassword !== '' && !stored
  useUnsaved(touched.size === 0 ? null : `the new site${draft.name === '' ? '' : ` ${draft.name}`} is not added yet`)
  const change = (change: Partial<SiteDraft>) => {
    setTouched((before) => new Set([...before, ...Object.keys(change)]))
    setDraft((before) => withGuesses(before, change))
  }
  const add = async () => {
    setBusy(true)
    setError(null)
    try {
      await callUnlocking('sites.add', { site: inputOf(draft) })
      await queryClient.invalidateQueries({ queryKey: ['sites'] })
      leaveUnsaved()
      navigate({ page: 'site', site: draft.name, tab: 'overview' })
    } catch (thrown) {
      setError(readError(thrown))
      setBusy(false)
    }
  }
  const shownErrors = Object.fromEntries(Object.entries(errors).filter(([field]) => touched.has(field))) as DraftErrors
  return (
    <Page
      title="Add a site"
      footer={
        <>
          <span className={classes.changes} role="status">
            {missing[0] ?? (mustStore ? 'Add waits for “I have stored it”' : 'Nothing on the server is changed by adding it')}
          </span>
          <Button
            onClick={() => {
              leaveUnsaved()
              navigate({ page: 'sites' })
            }}
          >
            Cancel
          </Button>
          <Button variant="filled" disabled={missing.length > 0 || mustStore} loading={busy} onClick={() => void add()}>
            {draft.name === '' ? 'Add site' : `Add ${draft.name}`}
          </Button>
        </>
      }
    >
      <div className={classes.nameRow}>
        <Field label="Site name" htmlFor="name" hint="As Zotonic calls it; backups are named after it.">
          <TextInput
            id="name"
            autoFocus
            value={draft.name}
            error={shownErrors.name}
            onChange={(event) => change({ name: event.currentTarget.value.toLowerCase() })}
          />
        </Field>
      </div>
      <SettingsTabs tab={tab} onTab={setTab} isNew />
      <PageBody>
        {error && (
          <div className={classes.box}>
            <ErrorBox title="Not added." error={error} />
          </div>
        )}
        <SettingsForm
          tab={tab}
          isKnown={false}
          draft={draft}
          errors={shownErrors}
          change={change}
          hasPassword={false}
          hasEncryptionPassword={false}
          defaultVault=""
          stored={stored}
          onStored={setStored}
        />
      </PageBody>
    </Page>
  )
}

/** Zotonic names database user, schema and often the database after the site; what was typed is left alone. */
function withGuesses(before: SiteDraft, change: Partial<SiteDraft>): SiteDraft {
  const after = { ...before, ...change }
  if (change.name === undefined) return after
  return { ...after, schema: before.schema === before.name ? change.name : after.schema }
}
