import { z } from 'zod'
import { repositoryNameSchema } from '../model/backup.ts'
import { siteNameSchema } from '../model/site.ts'
import { transferPlanSchema } from '../model/transfer.ts'
import { startedSchema } from './backups.ts'
import { defineProcedure } from './define.ts'

export const transfer = {
  /**
   * Compares two repositories of a site: a job that changes nothing; its result is `{ planId }`. Named backups are
   * copied; without names all are brought in step, the newest first.
   */
  'transfer.plan': defineProcedure({
    input: z.strictObject({
      site: siteNameSchema,
      from: repositoryNameSchema,
      to: repositoryNameSchema,
      /** NAMEs; default: every rotation slot of the source. */
      names: z.array(z.string().min(1).max(200)).min(1).max(1000).optional(),
      /** ISO UTC; with one name: only the backup of that moment. */
      timestamp: z.string().optional(),
      /** Only this many, the newest. */
      newest: z.int().min(1).max(1000).optional(),
      /** With one name: also where the slot has another backup of the same moment, which is pinned in the vault first. */
      replaceOther: z.boolean().default(false),
      /** Delete rotation slots of the target that the source does not have. */
      deleteOthers: z.boolean().default(false),
    }),
    output: startedSchema,
    effect: 'local',
  }),
  'transfer.getPlan': defineProcedure({
    input: z.strictObject({ planId: z.string() }),
    output: transferPlanSchema,
    effect: 'read',
  }),
  /**
   * Runs a plan as a job whose result is a `TransferResult`. When the plan changes a server or deletes something, the
   * shell asks first. `jobId` null: not confirmed, nothing done.
   */
  'transfer.run': defineProcedure({
    input: z.strictObject({ planId: z.string() }),
    output: z.object({ jobId: z.string().nullable() }),
    effect: 'server',
  }),
}
