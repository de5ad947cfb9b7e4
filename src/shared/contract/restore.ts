import { z } from 'zod'
import { repositoryNameSchema } from '../model/backup.ts'
import { restorePartSchema, restorePlanSchema } from '../model/plan.ts'
import { siteNameSchema } from '../model/site.ts'
import { startedSchema } from './backups.ts'
import { defineProcedure } from './define.ts'

export const restore = {
  /** A job that changes nothing; its result is `{ planId }`. */
  'restore.plan': defineProcedure({
    input: z.strictObject({
      site: siteNameSchema,
      name: z.string().min(1).max(200),
      timestamp: z.string().optional(),
      from: repositoryNameSchema.optional(),
      parts: z.array(restorePartSchema).min(1).default(['database', 'files']),
      passwords: z.array(z.string().max(1024)).max(20).default([]),
    }),
    output: startedSchema,
    effect: 'local',
  }),
  'restore.getPlan': defineProcedure({
    input: z.strictObject({ planId: z.string() }),
    output: restorePlanSchema,
    effect: 'read',
  }),
  /** Asks the shell for its confirmation, then runs the plan as a job. `jobId` null: not confirmed, nothing done. */
  'restore.run': defineProcedure({
    input: z.strictObject({ planId: z.string() }),
    output: z.object({ jobId: z.string().nullable() }),
    effect: 'server',
  }),
}
