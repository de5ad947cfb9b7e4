import type { SiteStatus } from '#shared/contract/backups.ts'

export type Protection = SiteStatus['protection']

const ORDER: Record<Protection, number> = { unprotected: 0, ageing: 1, unknown: 2, protected: 3 }

export const PROTECTION_WORD: Record<Protection, string> = {
  protected: 'Protected',
  ageing: 'Ageing',
  unprotected: 'Unprotected',
  unknown: 'Not known',
}

/** What cannot be known (an index that cannot be read) needs a person too: only protected sites stay quiet. */
export function isInTrouble(status: Pick<SiteStatus, 'protection'>): boolean {
  return status.protection !== 'protected'
}

/** Trouble first, then by name. */
export function sortByTrouble(sites: readonly SiteStatus[]): SiteStatus[] {
  return [...sites].sort((a, b) => ORDER[a.protection] - ORDER[b.protection] || a.site.localeCompare(b.site))
}

export type SiteFilter = 'all' | Protection

export function filterSites(sites: readonly SiteStatus[], filter: SiteFilter, text: string): SiteStatus[] {
  const needle = text.trim().toLowerCase()
  return sites.filter(
    (status) =>
      (filter === 'all' || status.protection === filter) &&
      (needle === '' || `${status.site} ${status.label} ${status.reason}`.toLowerCase().includes(needle)),
  )
}

/** The age of the newest good backup as a state: over 26 h ageing, over 50 h or none unprotected. */
export function ageState(seconds: number | null): 'ok' | 'warn' | 'bad' {
  if (seconds === null || seconds > 50 * 3600) return 'bad'
  return seconds > 26 * 3600 ? 'warn' : 'ok'
}
