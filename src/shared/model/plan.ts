import { z } from 'zod'
import { repositoryNameSchema } from './backup.ts'

export const restorePartSchema = z.enum(['database', 'files', 'config', 'security'])

/** Who loads a dump: this computer, statement by statement, or `psql` on the site's server. */
export const loaderSchema = z.enum(['here', 'server'])

export const planCheckSchema = z.object({
  name: z.string(),
  outcome: z.enum(['passed', 'warning', 'failed']),
  finding: z.string(),
})

export const planStepSchema = z.object({
  id: z.string(),
  name: z.string(),
  detail: z.string(),
})

/** What a restore would do; nothing has been changed when it is shown. */
export const restorePlanSchema = z.object({
  id: z.string(),
  /** SHA-256 of the plan's facts; the confirmation is bound to it. */
  sha256: z.string(),
  createdAt: z.iso.datetime(),
  expiresAt: z.iso.datetime(),
  site: z.string(),
  backup: z.object({ name: z.string(), timestamp: z.string(), repository: repositoryNameSchema }),
  /** Why that repository was read. */
  from: z.string(),
  parts: z.array(restorePartSchema),
  /** The site whose backup it is; another one than `site` for a staging copy. */
  sourceSite: z.string(),
  /** The schema that is written. */
  schema: z.string(),
  withoutOwners: z.boolean(),
  withoutGrants: z.boolean(),
  /** Who loads the database. */
  loader: loaderSchema,
  /** A backup of the site as it is now goes into the vault first, under this name; null: switched off. */
  safetyBackup: z.string().nullable(),
  /** Age of the backup in seconds when the plan was made. */
  ageSeconds: z.number(),
  /** Rows now and then per table; null: the table is only on the other side. */
  tables: z.array(z.object({ table: z.string(), rowsNow: z.number().nullable(), rowsThen: z.number().nullable() })),
  databaseBytes: z.number().nullable(),
  media: z
    .object({
      entries: z.number(),
      bytes: z.number(),
      added: z.number(),
      replaced: z.number(),
      same: z.number(),
      stay: z.number(),
    })
    .nullable(),
  /** Configuration and secret files that would be written, by their path under the site's folders. */
  config: z
    .array(z.object({ path: z.string(), bytes: z.number(), change: z.enum(['added', 'replaced', 'same', 'left']) }))
    .nullable(),
  /** The name under which the live schema is kept. */
  keptSchema: z.string().nullable(),
  checks: z.array(planCheckSchema),
  steps: z.array(planStepSchema),
  /** Sentences: what can be undone and how. */
  wayBack: z.array(z.string()),
  /** False when a check failed: the plan can be read but not run. */
  runnable: z.boolean(),
})

/** What a restore left behind so that it can be taken back. */
export const keptStateSchema = z.object({
  /** Of the kept schema, or of the job whose media can be put back: what `undo` and `drop` are asked for. */
  id: z.string(),
  /** `SCHEMA_before_YYYYMMDDHHMMSS`; null: only files were replaced. */
  schema: z.string().nullable(),
  /** When the restore (or the undo) set it aside. */
  keptAt: z.iso.datetime(),
  ageSeconds: z.number(),
  /** Bytes of the kept schema in the database. */
  bytes: z.number().nullable(),
  /** What set it aside: a restore, or an undo (going back to it takes that undo back); null: not known. */
  by: z.enum(['restore', 'undo']).nullable(),
  /** The job that made it, when this computer knows it. */
  jobId: z.string().nullable(),
  /** The backup that was restored then. */
  backup: z.object({ name: z.string(), timestamp: z.string() }).nullable(),
  /** Media and configuration that can be put back. */
  files: z.object({ replaced: z.number(), added: z.number(), bytes: z.number() }).nullable(),
})

/** `undo`: the kept state becomes the live one again. `drop`: it is deleted for good. */
export const wayBackPlanSchema = z.object({
  id: z.string(),
  sha256: z.string(),
  kind: z.enum(['undo', 'drop']),
  createdAt: z.iso.datetime(),
  expiresAt: z.iso.datetime(),
  site: z.string(),
  kept: keptStateSchema,
  /** Undo: the name under which what is live now is kept. */
  keptSchema: z.string().nullable(),
  tables: z.array(z.object({ table: z.string(), rowsNow: z.number().nullable(), rowsThen: z.number().nullable() })),
  checks: z.array(planCheckSchema),
  steps: z.array(planStepSchema),
  wayBack: z.array(z.string()),
  runnable: z.boolean(),
})

/** What the shell's confirmation window shows; made by the engine from its own plan. */
export const confirmationSchema = z.object({
  id: z.string(),
  title: z.string(),
  /** "Restore testsite-6 onto the live site testsite?" */
  question: z.string(),
  text: z.string(),
  /** Replaced / Written / Stays / Way back. */
  facts: z.array(z.object({ label: z.string(), text: z.string() })),
  /** What must be typed. */
  typedName: z.string(),
  action: z.string(),
  /** "Plan 7F3A-19C2, valid once". */
  planLabel: z.string(),
})

export type Loader = z.infer<typeof loaderSchema>
export type RestorePart = z.infer<typeof restorePartSchema>
export type PlanCheck = z.infer<typeof planCheckSchema>
export type PlanStep = z.infer<typeof planStepSchema>
export type RestorePlan = z.infer<typeof restorePlanSchema>
export type KeptState = z.infer<typeof keptStateSchema>
export type WayBackPlan = z.infer<typeof wayBackPlanSchema>
export type Confirmation = z.infer<typeof confirmationSchema>
