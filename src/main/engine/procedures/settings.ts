import type { EngineContext } from '#engine/foundation/context.ts'
import type { Handlers } from '#engine/router.ts'
import type { settings } from '#shared/contract/settings.ts'

export function settingsProcedures({ preferences, home, version, emit }: EngineContext): Handlers<typeof settings> {
  return {
    'settings.get': async () => ({
      problems: await preferences.problems(),
      preferences: await preferences.get(),
      home: home.root,
      version,
    }),
    'settings.update': async ({ preferences: change }) => {
      const updated = await preferences.update(change)
      emit({ type: 'preferences-changed' })
      return { preferences: updated }
    },
  }
}
