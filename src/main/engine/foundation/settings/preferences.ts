import type { OutputOf } from '#shared/contract/define.ts'
import type { Preferences as PreferenceValues, settings } from '#shared/contract/settings.ts'

export interface Preferences {
  get(): Promise<PreferenceValues>
  update(change: Partial<PreferenceValues>): Promise<PreferenceValues>
  problems(): Promise<OutputOf<(typeof settings)['settings.get']>['problems']>
}
