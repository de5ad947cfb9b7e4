import type { NightlyState } from '#shared/contract/schedule.ts'
import { callUnlocking, useNights } from '../queries.ts'
import { showError } from './show-error.ts'

/** How the nights of a site stand; null: not known yet. */
export function useNightlyState(site: string): NightlyState | null {
  return useNights().data?.sites.find((state) => state.site === site) ?? null
}

/** Makes the missed backup of today now. */
export async function runMissed(site: string): Promise<void> {
  await callUnlocking('schedule.runMissed', { site }).catch(showError)
}
