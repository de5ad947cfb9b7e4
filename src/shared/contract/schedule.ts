import { z } from 'zod'
import { appErrorSchema } from '../errors.ts'
import { repositoryNameSchema } from '../model/backup.ts'
import { scheduleSchema, siteNameSchema } from '../model/site.ts'
import { startedSchema } from './backups.ts'
import { defineProcedure } from './define.ts'

/** How the nights of a site stand. */
export const nightlyStateSchema = z.object({
  site: z.string(),
  schedule: scheduleSchema,
  /** When the next backup starts, jitter included; null: switched off. */
  nextAt: z.iso.datetime().nullable(),
  /** The nightly backup that runs now; null: none. */
  runningJob: z.string().nullable(),
  /** Tonight's backup is due and was not made, with the reason; null: nothing is missed. */
  missed: z.string().nullable(),
  /** The last night that was tried. */
  last: z
    .object({ date: z.string(), at: z.iso.datetime(), outcome: z.enum(['made', 'failed', 'skipped']), text: z.string() })
    .nullable(),
})

/** A coming night: which file it writes and what that replaces. */
export const comingNightSchema = z.object({
  /** UTC date, 2026-11-24. */
  date: z.string(),
  slot: z.string(),
  name: z.string(),
  /** The backup that is in the slot until then; null: the slot is empty. `bytes` null: that backup is still to come. */
  replaces: z.object({ name: z.string(), timestamp: z.string(), bytes: z.number().nullable() }).nullable(),
})

/** How a night ended. */
export const nightEndSchema = z.object({
  site: z.string(),
  outcome: z.enum(['made', 'skipped', 'failed', 'cancelled']),
  text: z.string(),
  error: appErrorSchema.nullable(),
  jobId: z.string().nullable(),
  /** What proving backups after it found; null: none were to be proven. */
  proofs: z
    .object({
      proven: z.int(),
      failed: z.array(z.object({ repository: repositoryNameSchema, name: z.string(), reason: z.string() })),
      /** Did not fit into the minutes. */
      left: z.int(),
    })
    .nullable(),
})

export const schedule = {
  'schedule.list': defineProcedure({
    input: z.strictObject({}),
    output: z.object({ sites: z.array(nightlyStateSchema) }),
    effect: 'read',
  }),
  'schedule.preview': defineProcedure({
    input: z.strictObject({
      site: siteNameSchema,
      nights: z.int().min(1).max(100).default(14),
      /** As if the nights wrote there; default: where they do. */
      to: repositoryNameSchema.optional(),
    }),
    output: z.object({
      scheme: z.enum(['manual', 'server']),
      repository: repositoryNameSchema,
      nights: z.array(comingNightSchema),
    }),
    effect: 'read',
  }),
  /** Sets the schedule of a site. One that writes onto the server or into the filestore is confirmed by the shell; `saved` false: not confirmed. */
  'schedule.set': defineProcedure({
    input: z.strictObject({ site: siteNameSchema, schedule: scheduleSchema }),
    output: z.object({ saved: z.boolean(), state: nightlyStateSchema }),
    effect: 'server',
  }),
  /** Makes the missed backup of today now. */
  'schedule.runMissed': defineProcedure({
    input: z.strictObject({ site: siteNameSchema }),
    output: startedSchema,
    effect: 'server',
  }),
  /** Does what the nights of all sites ask for now, one after the other, and answers when it is done. For terminals. */
  'schedule.runDue': defineProcedure({
    input: z.strictObject({}),
    output: z.object({ nights: z.array(nightEndSchema) }),
    effect: 'server',
  }),
}

export type NightlyState = z.infer<typeof nightlyStateSchema>
export type NightEnd = z.infer<typeof nightEndSchema>
export type ComingNight = z.infer<typeof comingNightSchema>
