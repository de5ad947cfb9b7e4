import { useState } from 'react'
import type { Preferences } from '#shared/contract/settings.ts'
import { call } from '../../bridge.ts'
import { SegmentedFilter } from '../../components/filters.tsx'
import { CopyButton } from '../../components/kbd.tsx'
import { ErrorBox, SkeletonRows } from '../../components/states.tsx'
import { Page, PageBody, Section } from '../../layout/page.tsx'
import { showError } from '../../lib/show-error.ts'
import { queryClient, useSettings } from '../../queries.ts'
import { Problems } from '../overview/problems.tsx'
import { BackgroundSection } from './background-section.tsx'
import { DemoSection } from './demo-section.tsx'
import { DrillsSection } from './drills-section.tsx'
import classes from './preferences.module.css'
import { SecretsSection } from './secrets-section.tsx'
import { TransfersSection } from './transfers-section.tsx'

/** What holds for the whole application. */
export function PreferencesPage() {
  const settings = useSettings()
  return (
    <Page title="Preferences">
      <PageBody narrow>
        {settings.error && (
          <ErrorBox title="The preferences could not be read." error={settings.error} onRetry={() => void settings.refetch()} />
        )}
        {settings.isPending && !settings.error && <SkeletonRows rows={4} height={48} label="Reading the preferences" />}
        {settings.data && (
          <>
            <Problems problems={settings.data.problems} />
            <Section title="Look">
              <ThemeChoice theme={settings.data.preferences.theme} />
            </Section>
            <BackgroundSection preferences={settings.data.preferences} />
            <TransfersSection preferences={settings.data.preferences} />
            <DrillsSection />
            <SecretsSection />
            <DemoSection />
            <Section title="About">
              <dl className={classes.facts}>
                <dt>Version</dt>
                <dd data-selectable>{settings.data.version}</dd>
                <dt>Data folder</dt>
                <dd className={classes.path}>
                  <code data-selectable>{settings.data.home}</code>
                  <CopyButton text={settings.data.home} label="Copy the data folder" />
                </dd>
              </dl>
              <p className={classes.explain}>
                Settings, the secret store, jobs, proofs and, unless a site says otherwise, the vaults are kept there. The
                terminal program zbd uses the same folder.
              </p>
            </Section>
          </>
        )}
      </PageBody>
    </Page>
  )
}

function ThemeChoice({ theme }: { theme: Preferences['theme'] }) {
  const [chosen, setChosen] = useState(theme)
  const choose = (next: Preferences['theme']) => {
    setChosen(next)
    call('settings.update', { preferences: { theme: next } }).then(
      () => queryClient.invalidateQueries({ queryKey: ['settings'] }),
      (error) => {
        setChosen(theme)
        showError(error)
      },
    )
  }
  return (
    <SegmentedFilter
      label="Theme"
      value={chosen}
      onChange={choose}
      options={[
        { value: 'system', label: 'As the system' },
        { value: 'light', label: 'Light' },
        { value: 'dark', label: 'Dark' },
      ]}
    />
  )
}
