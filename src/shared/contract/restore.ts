import { z } from 'zod'
import { repositoryNameSchema } from '../model/backup.ts'
import { keptStateSchema, loaderSchema, restorePartSchema, restorePlanSchema, wayBackPlanSchema } from '../model/plan.ts'
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
      /** The site whose backup is read; default: `site` itself. Another one makes `site` a staging copy of it. */
      sourceSite: siteNameSchema.optional(),
      /** Write the database into this schema instead of the site's own. */
      schema: z.string().min(1).max(63).optional(),
      withoutOwners: z.boolean().default(false),
      withoutGrants: z.boolean().default(false),
      /** `server`: by `psql` on the site's server, which must be reached by SSH. */
      loader: loaderSchema.default('here'),
      /** Back the site up into the vault first. */
      safetyBackup: z.boolean().default(true),
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
  /** What earlier restores of a site left behind, newest first. */
  'restore.kept': defineProcedure({
    input: z.strictObject({ site: siteNameSchema }),
    output: z.object({ kept: z.array(keptStateSchema) }),
    effect: 'read',
  }),
  /** A job that changes nothing; its result is `{ planId }`. */
  'restore.planUndo': defineProcedure({
    input: z.strictObject({ site: siteNameSchema, kept: z.string().min(1).max(200) }),
    output: startedSchema,
    effect: 'local',
  }),
  /** A job that changes nothing; its result is `{ planId }`. */
  'restore.planDrop': defineProcedure({
    input: z.strictObject({ site: siteNameSchema, kept: z.string().min(1).max(200) }),
    output: startedSchema,
    effect: 'local',
  }),
  'restore.getWayBackPlan': defineProcedure({
    input: z.strictObject({ planId: z.string() }),
    output: wayBackPlanSchema,
    effect: 'read',
  }),
  /** Asks the shell for its confirmation, then swaps back or drops as a job. `jobId` null: not confirmed, nothing done. */
  'restore.runWayBack': defineProcedure({
    input: z.strictObject({ planId: z.string() }),
    output: z.object({ jobId: z.string().nullable() }),
    effect: 'delete',
  }),
}
