import {
  IconAdjustmentsHorizontal,
  IconChevronDown,
  IconDatabase,
  IconLayoutDashboard,
  IconLayoutGrid,
  IconListCheck,
  IconLockOpen,
  IconPlus,
  IconSearch,
  IconSettings,
} from '@tabler/icons-react'
import type { ReactNode } from 'react'
import { CountBadge } from '../components/badge.tsx'
import { IconButton } from '../components/icon-button.tsx'
import { icon16 } from '../components/icons.tsx'
import { Kbd } from '../components/kbd.tsx'
import { glyphOf, StateGlyph } from '../components/state-glyph.tsx'
import { isInTrouble, PROTECTION_WORD } from '../lib/protection.ts'
import { useSiteStatuses } from '../lib/site-statuses.ts'
import { useSites } from '../queries.ts'
import { useActiveJobs } from '../stores/jobs.ts'
import { navigate, type Route, type SitePage, siteOf, useUi } from '../stores/ui.ts'
import classes from './sidebar.module.css'

const SITE_PAGES: { tab: SitePage; label: string; icon: typeof IconDatabase }[] = [
  { tab: 'overview', label: 'Overview', icon: IconLayoutDashboard },
  { tab: 'backups', label: 'Backups', icon: IconDatabase },
  { tab: 'jobs', label: 'Jobs', icon: IconListCheck },
  { tab: 'settings', label: 'Settings', icon: IconAdjustmentsHorizontal },
]

export function Sidebar() {
  const route = useUi((state) => state.route)
  const setPalette = useUi((state) => state.setPalette)
  const overview = useSiteStatuses()
  const inTrouble = overview.filter(isInTrouble).length
  const active = useActiveJobs().length
  return (
    <nav className={classes.sidebar} aria-label="Sites and pages">
      <button type="button" className={classes.search} onClick={() => setPalette(true)}>
        <IconSearch {...icon16} />
        <span>Search or run</span>
        <Kbd keys="Mod+K" />
      </button>
      <div className={classes.top}>
        <Row
          to={{ page: 'sites' }}
          selected={route.page === 'sites' || route.page === 'add-site'}
          icon={<IconLayoutGrid {...icon16} />}
          label="All sites"
          end={<CountBadge count={inTrouble} tone="bad" label={`${inTrouble} in trouble`} />}
        />
        <Row
          to={{ page: 'decrypt' }}
          selected={route.page === 'decrypt'}
          icon={<IconLockOpen {...icon16} />}
          label="Decrypt files"
        />
        <Row
          to={{ page: 'jobs' }}
          selected={route.page === 'jobs'}
          icon={<IconListCheck {...icon16} />}
          label="All jobs"
          end={<CountBadge count={active} tone="neutral" label={`${active} under way`} />}
        />
      </div>
      <SiteList route={route} />
      <div className={classes.foot}>
        <Row
          to={{ page: 'preferences' }}
          selected={route.page === 'preferences'}
          icon={<IconSettings {...icon16} />}
          label="Preferences"
          end={<Kbd keys="Mod+," plain />}
        />
      </div>
    </nav>
  )
}

function SiteList({ route }: { route: Route }) {
  const listed = useSites().data?.sites
  const sites = listed ?? []
  const overview = useSiteStatuses()
  const chosen = siteOf(route)
  return (
    <>
      <div className={classes.groupHead}>
        <h2>Sites</h2>
        {sites.length > 0 && (
          <IconButton label="Add a site" title="Add a site" onClick={() => navigate({ page: 'add-site' })}>
            <IconPlus {...icon16} />
          </IconButton>
        )}
      </div>
      <ul className={classes.sites}>
        {listed?.length === 0 && <li className={classes.none}>None yet</li>}
        {sites.map(({ site }) => {
          const protection = overview.find((status) => status.site === site.name)?.protection ?? 'unknown'
          const open = chosen === site.name
          return (
            <li key={site.name}>
              <button
                type="button"
                className={open ? classes.siteOpen : classes.row}
                aria-expanded={open}
                onClick={() => navigate({ page: 'site', site: site.name, tab: 'overview' })}
              >
                <span className={classes.glyph}>
                  <StateGlyph state={glyphOf(protection)} size={10} label={PROTECTION_WORD[protection]} />
                </span>
                <span className={classes.label}>{site.name}</span>
                {open && <IconChevronDown {...icon16} className={classes.chevron} />}
              </button>
              {open && <SitePages site={site.name} route={route} />}
            </li>
          )
        })}
      </ul>
    </>
  )
}

function SitePages({ site, route }: { site: string; route: Route }) {
  const active = useActiveJobs(site).length
  return (
    <ul className={classes.pages}>
      {SITE_PAGES.map(({ tab, label, icon: Icon }) => (
        <li key={tab}>
          <Row
            to={{ page: 'site', site, tab }}
            selected={(route.page === 'site' && route.tab === tab) || (route.page === 'restore' && tab === 'backups')}
            icon={<Icon {...icon16} />}
            label={label}
            end={tab === 'jobs' ? <CountBadge count={active} tone="neutral" label={`${active} under way`} /> : undefined}
          />
        </li>
      ))}
    </ul>
  )
}

function Row(props: { to: Route; selected: boolean; icon: ReactNode; label: string; end?: ReactNode }) {
  return (
    <button
      type="button"
      className={classes.row}
      aria-current={props.selected ? 'page' : undefined}
      onClick={() => navigate(props.to)}
    >
      {props.icon}
      <span className={classes.label}>{props.label}</span>
      {props.end}
    </button>
  )
}
