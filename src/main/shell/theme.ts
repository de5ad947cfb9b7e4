import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { nativeTheme } from 'electron'
import { type Preferences, preferencesSchema } from '#shared/contract/settings.ts'

export type Theme = Preferences['theme']

/** The theme in `settings.json`, so that the window opens in it; the engine reports a file that cannot be read. */
export function rememberedTheme(home: string): Theme {
  try {
    return preferencesSchema.parse(JSON.parse(readFileSync(join(home, 'settings.json'), 'utf8'))).theme
  } catch {
    return 'system'
  }
}

export function applyTheme(theme: Theme): void {
  nativeTheme.themeSource = theme
}
