import { z } from 'zod'
import { defineProcedure } from './define.ts'
import { settingsProblemSchema } from './sites.ts'

/** Preferences, kept in `settings.json`. */
export const preferencesSchema = z.strictObject({
  version: z.literal(1).default(1),
  theme: z.enum(['system', 'light', 'dark']).default('system'),
  /** Closing the window leaves the app in the tray, so that the nights run. */
  stayInTray: z.boolean().default(false),
  startAtLogin: z.boolean().default(false),
  /**
   * KiB a second that all transfers together may take, with what backups and proofs read of servers and filestores; null: as fast
   * as it goes. Restores are not held back.
   */
  transferLimit: z.int().min(16).max(10_000_000).nullable().default(null),
})

export const settings = {
  'settings.get': defineProcedure({
    input: z.strictObject({}),
    output: z.object({
      preferences: preferencesSchema,
      home: z.string(),
      version: z.string(),
      problems: z.array(settingsProblemSchema),
    }),
    effect: 'read',
  }),
  'settings.update': defineProcedure({
    input: z.strictObject({ preferences: preferencesSchema.partial() }),
    output: z.object({ preferences: preferencesSchema }),
    effect: 'local',
  }),
}

export type Preferences = z.infer<typeof preferencesSchema>
