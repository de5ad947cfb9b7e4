import { Button, TextInput } from '@mantine/core'
import { useState } from 'react'
import type { AppError } from '#shared/errors.ts'
import type { ZotonicSite } from '#shared/model/server.ts'
import { SITE_NAME } from '#shared/model/site.ts'
import { readError } from '../../bridge.ts'
import { SegmentedFilter } from '../../components/filters.tsx'
import { ErrorBox, Notice } from '../../components/states.tsx'
import { Page, PageBody, ToolRow } from '../../layout/page.tsx'
import { draftOfFound } from '../../lib/discovery.ts'
import { type DraftErrors, draftErrors } from '../../lib/draft-checks.ts'
import { EMPTY_DRAFT, inputOf, type SiteDraft } from '../../lib/site-draft.ts'
import { leaveUnsaved, useUnsaved } from '../../lib/use-unsaved.ts'
import { callUnlocking, queryClient } from '../../queries.ts'
import { navigate, type SettingsSection } from '../../stores/ui.ts'
import { DiscoverServer } from './discover-server.tsx'
import { Field } from './field.tsx'
import classes from './settings.module.css'
import { SettingsForm, SettingsTabs } from './settings-form.tsx'

type Way = 'server' | 'hand'

/** A new site: found on a server by SSH, or typed; then the same form as its settings, with a name. */
export function AddSitePage() {
  const [way, setWay] = useState<Way>('server')
  const [found, setFound] = useState<ZotonicSite | null>(null)
  const [draft, setDraft] = useState(EMPTY_DRAFT)
  const [touched, setTouched] = useState<ReadonlySet<string>>(new Set())
  const [tab, setTab] = useState<SettingsSection>('connections')
  const [isStored, setStored] = useState(false)
  const [error, setError] = useState<AppError | null>(null)
  const [busy, setBusy] = useState(false)
  const hasFilestoreSecret = found?.hasFilestoreSecret ?? false
  const errors = draftErrors(draft, { hasEncryptionPassword: false, hasFilestoreSecret })
  const missing = Object.values(errors)
  const mustStore = draft.encryptionPassword !== '' && !isStored
  const isForm = way === 'hand' || found !== null
  useUnsaved(touched.size === 0 ? null : `the new site${draft.name === '' ? '' : ` ${draft.name}`} is not added yet`)
  const change = (change: Partial<SiteDraft>) => {
    setTouched((before) => new Set([...before, ...Object.keys(change)]))
    setDraft((before) => withGuesses(before, change))
  }
  const choose = (site: ZotonicSite, discovery: string) => {
    setFound(site)
    setDraft(draftOfFound(site, discovery, draft))
  }
  const chooseWay = (next: Way) => {
    setWay(next)
    setFound(null)
    setDraft((before) => ({ ...before, discovery: '' }))
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
  const cancel = () => {
    leaveUnsaved()
    navigate({ page: 'sites' })
  }
  // what was found is complete but for what it names: its gaps are marked at once
  const shownErrors = (
    found ? errors : Object.fromEntries(Object.entries(errors).filter(([field]) => touched.has(field)))
  ) as DraftErrors
  return (
    <Page
      title="Add a site"
      footer={
        <>
          <span className={classes.changes} role="status">
            {!isForm
              ? 'Nothing on the server is changed by looking at it'
              : (missing[0] ??
                (mustStore ? 'Add waits for “I have stored it”' : 'Nothing on the server is changed by adding it'))}
          </span>
          <Button onClick={cancel}>Cancel</Button>
          {isForm && (
            <Button variant="filled" disabled={missing.length > 0 || mustStore} loading={busy} onClick={() => void add()}>
              {draft.name === '' ? 'Add site' : `Add ${draft.name}`}
            </Button>
          )}
        </>
      }
    >
      <ToolRow>
        <SegmentedFilter
          label="How to add"
          value={way}
          onChange={chooseWay}
          options={[
            { value: 'server', label: 'From a server by SSH' },
            { value: 'hand', label: 'By hand' },
          ]}
        />
      </ToolRow>
      {isForm ? (
        <>
          <div className={classes.nameRow}>
            <Field label="Site name" htmlFor="name" hint="As Zotonic calls it; backups are named after it.">
              <TextInput
                id="name"
                autoFocus={found === null}
                // what was found, secrets included, was found under this name
                readOnly={found !== null && SITE_NAME.test(found.name)}
                value={draft.name}
                error={shownErrors.name}
                onChange={(event) => change({ name: event.currentTarget.value.toLowerCase() })}
              />
            </Field>
          </div>
          <SettingsTabs tab={tab} onTab={setTab} isNew />
          <PageBody>
            {found && <FoundNotice site={found} onBack={() => setFound(null)} />}
            {error && (
              <div className={classes.box}>
                <ErrorBox title="Not added." error={error} />
              </div>
            )}
            <SettingsForm
              key={found?.name}
              tab={tab}
              isKnown={false}
              draft={draft}
              errors={shownErrors}
              change={change}
              stored={{
                hasDatabasePassword: found?.hasDatabasePassword ?? false,
                hasSshPassword: false,
                hasSshPassphrase: false,
                hasFilestoreSecret,
              }}
              hasEncryptionPassword={false}
              defaultVault=""
              isStored={isStored}
              onStored={setStored}
            />
          </PageBody>
        </>
      ) : (
        <PageBody>
          <DiscoverServer draft={draft} errors={shownErrors} change={change} onChoose={choose} />
        </PageBody>
      )}
    </Page>
  )
}

function FoundNotice({ site, onBack }: { site: ZotonicSite; onBack(): void }) {
  const { name, missing } = site
  return (
    <div className={classes.foundNotice}>
      <Notice tone={missing.length === 0 ? 'ok' : 'info'} title={`${name} was found on the server.`}>
        {missing.length === 0 ? 'Nothing is missing: test it, then add it.' : `Still to be given: ${missing.join(' ')}`}{' '}
        <Button data-size="inline" variant="subtle" onClick={onBack}>
          Choose another
        </Button>
      </Notice>
    </div>
  )
}

/** Zotonic names database user, schema and often the database after the site; what was typed is left alone. */
function withGuesses(before: SiteDraft, change: Partial<SiteDraft>): SiteDraft {
  const after = { ...before, ...change }
  if (change.name === undefined) return after
  return { ...after, schema: before.schema === before.name ? change.name : after.schema }
}
