import { z } from 'zod'
import { repositoryNameSchema } from './backup.ts'

export const restorePartSchema = z.enum(['database', 'files'])

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
  /** The name under which the live schema is kept. */
  keptSchema: z.string().nullable(),
  checks: z.array(planCheckSchema),
  steps: z.array(planStepSchema),
  /** Sentences: what can be undone and how. */
  wayBack: z.array(z.string()),
  /** False when a check failed: the plan can be read but not run. */
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

export type RestorePart = z.infer<typeof restorePartSchema>
export type PlanCheck = z.infer<typeof planCheckSchema>
export type PlanStep = z.infer<typeof planStepSchema>
export type RestorePlan = z.infer<typeof restorePlanSchema>
export type Confirmation = z.infer<typeof confirmationSchema>
