import { useMemo } from 'react'
import type { SiteStatus } from '#shared/contract/backups.ts'
import { useOverview } from '../queries.ts'
import { useActiveJobs } from '../stores/jobs.ts'

const NONE: readonly SiteStatus[] = []

/**
 * How each site stands. Of a demo that is being made nothing is judged yet: its newest backups are on their way, and
 * red for some seconds would be a false alarm.
 */
export function useSiteStatuses(): readonly SiteStatus[] {
  const sites = useOverview().data?.sites ?? NONE
  const isMaking = useActiveJobs().some(({ kind }) => kind === 'demo-start' || kind === 'demo-reset')
  return useMemo(
    () => (isMaking ? sites.map((status) => (status.isDemo ? beingMade(status) : status)) : sites),
    [sites, isMaking],
  )
}

export function useSiteStatus(site: string): SiteStatus | undefined {
  return useSiteStatuses().find((status) => status.site === site)
}

function beingMade(status: SiteStatus): SiteStatus {
  if (status.protection === 'protected') return status
  return { ...status, protection: 'unknown', reason: 'The demo is being made; it is judged when its newest backups are there.' }
}
