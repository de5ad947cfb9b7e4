import { useMantineColorScheme } from '@mantine/core'
import { useEffect, useRef } from 'react'
import classes from './app.module.css'
import { handleKey } from './commands.ts'
import { connectEvents } from './events.ts'
import { DropOverlay } from './layout/drop-overlay.tsx'
import { JobBar } from './layout/job-bar.tsx'
import { LeaveDialog } from './layout/leave-dialog.tsx'
import { useMenuCommands } from './layout/menu-commands.ts'
import { Palette } from './layout/palette.tsx'
import { Sidebar } from './layout/sidebar.tsx'
import { Toasts } from './layout/toasts.tsx'
import { UnlockDialog } from './layout/unlock-dialog.tsx'
import { BackupsPage } from './pages/backups/backups-page.tsx'
import { DecryptPage } from './pages/decrypt/decrypt-page.tsx'
import { JobsPage } from './pages/jobs/jobs-page.tsx'
import { SiteOverviewPage } from './pages/overview/site-overview-page.tsx'
import { SitesPage } from './pages/overview/sites-page.tsx'
import { PreferencesPage } from './pages/preferences/preferences-page.tsx'
import { RestorePage } from './pages/restore/restore-page.tsx'
import { WayBackPage } from './pages/restore/way-back-page.tsx'
import { AddSitePage } from './pages/settings/add-site-page.tsx'
import { SettingsPage } from './pages/settings/settings-page.tsx'
import { TransferPage } from './pages/transfer/transfer-page.tsx'
import { useSettings, useSites } from './queries.ts'
import { useUi } from './stores/ui.ts'

/** The window: sidebar, one page, job bar. */
export function App() {
  useEffect(() => connectEvents(), [])
  useTheme()
  useKeys()
  useMenuCommands()
  return (
    <div className={classes.app}>
      <Sidebar />
      <div className={classes.main}>
        <CurrentPage />
      </div>
      <JobBar />
      <Palette />
      <UnlockDialog />
      <LeaveDialog />
      <Toasts />
      <DropOverlay />
    </div>
  )
}

function CurrentPage() {
  const route = useUi((state) => state.route)
  switch (route.page) {
    case 'sites':
      return <SitesPage />
    case 'add-site':
      return <AddSitePage />
    case 'decrypt':
      return <DecryptPage />
    case 'jobs':
      return <JobsPage selected={route.job ?? null} />
    case 'preferences':
      return <PreferencesPage />
    case 'restore':
      return <RestorePage key={`${route.site} ${route.name} ${route.timestamp}`} {...route} />
    case 'transfer':
      return <TransferPage key={JSON.stringify(route)} {...route} />
    case 'way-back':
      return <WayBackPage key={`${route.site} ${route.kind} ${route.kept}`} {...route} />
    case 'site':
      switch (route.tab) {
        case 'overview':
          return <SiteOverviewPage key={route.site} site={route.site} />
        case 'backups':
          return <BackupsPage key={route.site} site={route.site} />
        case 'jobs':
          return <JobsPage key={route.site} site={route.site} selected={route.job ?? null} />
        case 'settings':
          return <SettingsPage key={route.site} site={route.site} section={route.section ?? 'connections'} />
      }
  }
}

/** Dark and light follow the preference, which by default follows the system. */
function useTheme() {
  const theme = useSettings().data?.preferences.theme
  const { setColorScheme } = useMantineColorScheme()
  useEffect(() => {
    if (theme) setColorScheme(theme === 'system' ? 'auto' : theme)
  }, [theme, setColorScheme])
}

function useKeys() {
  const sites = useSites().data?.sites
  const latest = useRef(sites)
  latest.current = sites
  useEffect(() => {
    const listener = (event: KeyboardEvent) =>
      handleKey(
        event,
        (latest.current ?? []).map(({ site }) => site),
      )
    window.addEventListener('keydown', listener)
    return () => window.removeEventListener('keydown', listener)
  }, [])
}
