import { Button } from '@mantine/core'
import { IconPlus, IconRefresh } from '@tabler/icons-react'
import { useState } from 'react'
import { formatClock } from '#shared/format.ts'
import { FilterField, SegmentedFilter } from '../../components/filters.tsx'
import { icon16 } from '../../components/icons.tsx'
import { StateGlyph } from '../../components/state-glyph.tsx'
import { Empty, ErrorBox, SkeletonRows } from '../../components/states.tsx'
import { Page, ToolRow } from '../../layout/page.tsx'
import { filterSites, isInTrouble, type SiteFilter, sortByTrouble } from '../../lib/protection.ts'
import { useSiteStatuses } from '../../lib/site-statuses.ts'
import { checkNow, useOverview, useSites } from '../../queries.ts'
import { navigate } from '../../stores/ui.ts'
import { FirstRun } from './first-run.tsx'
import classes from './overview.module.css'
import { Problems } from './problems.tsx'
import { OverviewLegend, SitesTable } from './sites-table.tsx'

/** All sites at a glance, trouble first; with no site yet, the two ways on. */
export function SitesPage() {
  const sites = useSites()
  const overview = useOverview()
  if (sites.data && sites.data.sites.length === 0) return <FirstRun problems={sites.data.problems} />
  const checkedAt = overview.data?.sites[0]?.checkedAt
  return (
    <Page
      title="All sites"
      subtitle={checkedAt === undefined ? undefined : `checked ${formatClock(checkedAt)} UTC`}
      actions={
        <>
          <Button
            leftSection={<IconRefresh {...icon16} />}
            loading={overview.isFetching && overview.data !== undefined}
            onClick={() => void checkNow()}
          >
            Check now
          </Button>
          <Button variant="filled" leftSection={<IconPlus {...icon16} />} onClick={() => navigate({ page: 'add-site' })}>
            Add site
          </Button>
        </>
      }
    >
      <Content />
    </Page>
  )
}

function Content() {
  const sites = useSites()
  const overview = useOverview()
  const [filter, setFilter] = useState<SiteFilter>('all')
  const [text, setText] = useState('')
  const error = sites.error ?? overview.error
  const all = useSiteStatuses()
  const count = (protection: SiteFilter) => (overview.data ? filterSites(all, protection, '').length : undefined)
  const shown = sortByTrouble(filterSites(all, filter, text))
  const unknown = count('unknown') ?? 0
  return (
    <>
      <ToolRow
        right={
          <>
            <span className={classes.sorted}>Sorted: trouble first</span>
            <FilterField label="Filter sites" width={200} value={text} onChange={setText} />
          </>
        }
      >
        <SegmentedFilter
          label="Protection"
          value={filter}
          onChange={setFilter}
          options={[
            { value: 'all', label: 'All', count: count('all') },
            {
              value: 'unprotected',
              label: 'Unprotected',
              count: count('unprotected'),
              glyph: <StateGlyph state="bad" size={10} />,
            },
            { value: 'ageing', label: 'Ageing', count: count('ageing'), glyph: <StateGlyph state="warn" size={10} /> },
            { value: 'protected', label: 'Protected', count: count('protected'), glyph: <StateGlyph state="ok" size={10} /> },
            ...(unknown > 0
              ? [{ value: 'unknown' as const, label: 'Not known', count: unknown, glyph: <StateGlyph state="none" size={10} /> }]
              : []),
          ]}
        />
      </ToolRow>
      <div className={classes.scroll}>
        {sites.data && <Problems problems={sites.data.problems} />}
        {error && (
          <div className={classes.box}>
            <ErrorBox title="The sites could not be read." error={error} onRetry={() => void checkNow()} />
          </div>
        )}
        {overview.isPending && !error && <SkeletonRows rows={6} height={56} label="Reading the sites" />}
        {overview.data && shown.length > 0 && (
          <SitesTable trouble={shown.filter(isInTrouble)} quiet={shown.filter((status) => !isInTrouble(status))} />
        )}
        {overview.data && shown.length === 0 && (
          <Empty title="No site matches this filter">
            <Button
              onClick={() => {
                setFilter('all')
                setText('')
              }}
            >
              Show all sites
            </Button>
          </Empty>
        )}
      </div>
      <OverviewLegend />
    </>
  )
}
