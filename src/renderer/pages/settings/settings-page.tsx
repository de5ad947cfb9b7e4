import { Button } from '@mantine/core'
import { useState } from 'react'
import type { AppError } from '#shared/errors.ts'
import { formatPlural } from '#shared/format.ts'
import type { SiteView } from '#shared/model/site.ts'
import { readError } from '../../bridge.ts'
import { ErrorBox, SkeletonRows } from '../../components/states.tsx'
import { Page, PageBody, SiteTitle } from '../../layout/page.tsx'
import { changesOf, draftErrors } from '../../lib/draft-checks.ts'
import { showError } from '../../lib/show-error.ts'
import { draftOf, inputOf, nightsChanged, type SiteDraft, scheduleOf } from '../../lib/site-draft.ts'
import { useUnsaved } from '../../lib/use-unsaved.ts'
import { callUnlocking, queryClient, useSite } from '../../queries.ts'
import { navigate, type SettingsSection, useUi } from '../../stores/ui.ts'
import classes from './settings.module.css'
import { SettingsForm, SettingsTabs } from './settings-form.tsx'

/** A site's settings: connections with their test, encryption, rotation. */
export function SettingsPage({ site, section }: { site: string; section: SettingsSection }) {
  const view = useSite(site)
  const setTab = (chosen: SettingsSection) => navigate({ page: 'site', site, tab: 'settings', section: chosen })
  // saved, or changed elsewhere: the form starts from what is there now, on the same tab
  if (view.data) return <Loaded key={JSON.stringify(view.data)} view={view.data} tab={section} onTab={setTab} />
  return (
    <Page title={<SiteTitle site={site} page="Settings" />}>
      <PageBody>
        {view.error ? (
          <ErrorBox title="The settings could not be read." error={view.error} onRetry={() => void view.refetch()} />
        ) : (
          <SkeletonRows rows={6} height={40} label="Reading the settings" />
        )}
      </PageBody>
    </Page>
  )
}

function Loaded({ view, tab, onTab }: { view: SiteView; tab: SettingsSection; onTab(tab: SettingsSection): void }) {
  const { name } = view.site
  const before = draftOf(view)
  const [draft, setDraft] = useState(before)
  const [stored, setStored] = useState(false)
  const [error, setError] = useState<AppError | null>(null)
  const [busy, setBusy] = useState(false)
  const [round, setRound] = useState(0)
  const errors = draftErrors(draft, view)
  const changes = changesOf(before, draft)
  const mustStore = draft.encryptionPassword !== '' && !stored
  useUnsaved(changes.length === 0 ? null : `${formatPlural(changes.length, 'change')} of ${name}: ${changes.join(', ')}`)
  const save = async () => {
    setBusy(true)
    setError(null)
    try {
      const rest = { ...draft, ...nightsOf(before) }
      if (changesOf(before, rest).length > 0) await callUnlocking('sites.update', { site: inputOf(draft, view.site.schedule) })
      if (nightsChanged(before, draft)) await setNights(name, draft)
      await queryClient.invalidateQueries({ queryKey: ['sites'] })
      setDraft((now) => ({ ...now, ...NO_SECRETS }))
      setRound((now) => now + 1)
    } catch (thrown) {
      setError(readError(thrown))
    }
    setBusy(false)
  }
  const discard = () => {
    setDraft(before)
    setRound((now) => now + 1)
  }
  return (
    <Page
      title={<SiteTitle site={name} page="Settings" />}
      actions={
        <Button variant="danger" onClick={() => void removeSite(name)}>
          Remove site…
        </Button>
      }
      footer={
        <>
          <span className={classes.changes} role="status">
            {changes.length === 0
              ? 'Nothing changed'
              : `${formatPlural(changes.length, 'change')} not saved: ${changes.join(', ')}${mustStore ? '. Save waits for “I have stored it”' : ''}`}
          </span>
          <Button disabled={changes.length === 0 || busy} onClick={discard}>
            Discard
          </Button>
          <Button
            variant="filled"
            aria-label={`Save the settings of ${name}`}
            disabled={changes.length === 0 || Object.keys(errors).length > 0 || mustStore}
            loading={busy}
            onClick={() => void save()}
          >
            Save
          </Button>
        </>
      }
    >
      <SettingsTabs tab={tab} onTab={onTab} />
      <PageBody>
        {error && (
          <div className={classes.box}>
            <ErrorBox title="Not saved." error={error} />
          </div>
        )}
        <SettingsForm
          tab={tab}
          isKnown
          round={round}
          draft={draft}
          errors={errors}
          change={(change) => setDraft((now) => ({ ...now, ...change }))}
          stored={view}
          hasEncryptionPassword={view.hasEncryptionPassword}
          defaultVault={view.vaultPath}
          isStored={stored}
          onStored={setStored}
        />
      </PageBody>
    </Page>
  )
}

const NO_SECRETS = { password: '', sshPassword: '', sshPassphrase: '', filestoreSecret: '', encryptionPassword: '' }

/** The shell asks when the nights write onto the server or into the filestore. */
async function setNights(site: string, draft: SiteDraft): Promise<void> {
  const { saved } = await callUnlocking('schedule.set', { site, schedule: scheduleOf(draft) })
  if (saved) await queryClient.invalidateQueries({ queryKey: ['schedule'] })
  else useUi.getState().toast({ tone: 'bad', text: `Not confirmed. The nights of ${site} stay as they were.` })
}

function nightsOf({ nights, nightsAt, nightsTo, nightsDatabaseOnly, proofMinutes }: SiteDraft): Partial<SiteDraft> {
  return { nights, nightsAt, nightsTo, nightsDatabaseOnly, proofMinutes }
}

/** The shell asks in its own window; backups, database and server folder stay. */
async function removeSite(site: string): Promise<void> {
  try {
    const { removed, vaultKept } = await callUnlocking('sites.remove', { site })
    if (!removed) return
    navigate({ page: 'sites' })
    useUi.getState().toast({ tone: 'ok', text: `${site} is removed from Backup Desk. Its backups stay in ${vaultKept}.` })
  } catch (error) {
    showError(error)
  }
}
