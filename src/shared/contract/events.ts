import { z } from 'zod'
import { jobSchema } from '../model/job.ts'
import { secretStoreStateSchema } from './secrets.ts'

/** What the engine tells on its own; progress of a job at most 10 times a second. */
export const eventSchema = z.discriminatedUnion('type', [
  z.object({ type: z.literal('job'), job: jobSchema }),
  z.object({ type: z.literal('sites-changed') }),
  /** The backups of a site changed; null: of all. */
  z.object({ type: z.literal('backups-changed'), site: z.string().nullable() }),
  z.object({ type: z.literal('secrets-changed'), state: secretStoreStateSchema }),
  z.object({ type: z.literal('preferences-changed') }),
  z.object({ type: z.literal('schedule-changed') }),
])

export type EngineEvent = z.infer<typeof eventSchema>
