import { Button } from '@mantine/core'
import { IconDatabasePlus } from '@tabler/icons-react'
import type { Night, SiteStatus } from '#shared/contract/backups.ts'
import { Badge } from '../../components/badge.tsx'
import { DemoStopped } from '../../components/demo-stopped.tsx'
import { icon16 } from '../../components/icons.tsx'
import { NightsStrip } from '../../components/nights-strip.tsx'
import { Columns, Scroll } from '../../components/pane.tsx'
import { glyphOf, StateGlyph } from '../../components/state-glyph.tsx'
import { Empty, ErrorBox, SkeletonRows } from '../../components/states.tsx'
import { Page, Section, SiteTitle } from '../../layout/page.tsx'
import { backUp } from '../../lib/back-up.ts'
import { useIsStoppedDemo } from '../../lib/demo.ts'
import { PROTECTION_WORD } from '../../lib/protection.ts'
import { useSiteStatus } from '../../lib/site-statuses.ts'
import { checkNow, useOverview, useSites } from '../../queries.ts'
import { navigate } from '../../stores/ui.ts'
import { KeptStates } from './kept-states.tsx'
import { MissedNight } from './missed-night.tsx'
import { Problems } from './problems.tsx'
import { RecentBackups, RecentJobs } from './recent.tsx'
import { SiteFacts } from './site-facts.tsx'
import classes from './site-overview.module.css'

const TONE = { protected: 'ok', ageing: 'warn', unprotected: 'bad', unknown: 'neutral' } as const

/** One site: the same facts as its row among all sites, with room to read them. */
export function SiteOverviewPage({ site }: { site: string }) {
  const overview = useOverview()
  const problems = useSites().data?.problems ?? []
  const status = useSiteStatus(site)
  const isStopped = useIsStoppedDemo(site)
  return (
    <Page
      title={<SiteTitle site={site} page="Overview" />}
      subtitle={status && <Badge tone={TONE[status.protection]}>{PROTECTION_WORD[status.protection]}</Badge>}
      actions={
        <Button
          variant="filled"
          leftSection={<IconDatabasePlus {...icon16} />}
          onClick={() => void backUp(site, 'vault')}
          aria-label={`Back up ${site} now`}
        >
          Back up now
        </Button>
      }
    >
      <Columns>
        <Scroll padded>
          <Problems problems={problems.filter((problem) => problem.file.includes(site))} />
          {overview.error && (
            <ErrorBox title="The state of this site could not be read." error={overview.error} onRetry={() => void checkNow()} />
          )}
          {overview.isPending && !overview.error && <SkeletonRows rows={4} height={56} label="Reading the site" />}
          <div className={classes.stopped}>
            <DemoStopped site={site} />
          </div>
          <MissedNight site={site} />
          {status && <Protection status={status} />}
          {overview.data && !status && (
            <Empty title={`There is no site ${site}`}>
              <Button onClick={() => navigate({ page: 'sites' })}>All sites</Button>
            </Empty>
          )}
          {status && <RecentBackups site={site} />}
          {status && !isStopped && <KeptStates site={site} />}
          {status && <RecentJobs site={site} />}
        </Scroll>
        {status && <SiteFacts status={status} />}
      </Columns>
    </Page>
  )
}

const NIGHTS: { outcome: Night['outcome']; word: string }[] = [
  { outcome: 'good', word: 'good' },
  { outcome: 'one-place', word: 'kept in one place' },
  { outcome: 'failed', word: 'failed' },
  { outcome: 'none', word: 'without a backup' },
]

function Protection({ status }: { status: SiteStatus }) {
  const counts = NIGHTS.map(({ outcome, word }) => ({ word, count: status.nights.filter((n) => n.outcome === outcome).length }))
  const summary = counts.filter(({ count }) => count > 0).map(({ word, count }) => `${count} ${word}`)
  return (
    <>
      <div className={classes.protection} data-protection={status.protection}>
        <StateGlyph state={glyphOf(status.protection)} size={14} />
        <p data-selectable>{status.reason}</p>
      </div>
      <Section title="Last 35 nights" aside={summary.join(', ')}>
        <NightsStrip nights={status.nights} size="large" />
      </Section>
    </>
  )
}
