import { z } from 'zod'
import { partKindSchema, repositoryNameSchema } from './backup.ts'
import { planCheckSchema } from './plan.ts'

/** What happens to one backup when repositories are brought in step. */
export const transferItemSchema = z.object({
  name: z.string(),
  timestamp: z.string(),
  /**
   * `copy`: it is not there; `resume`: an interrupted try stored `storedBytes` of it already; `same`: it is there whole;
   * `refused`: it can't be copied (`reason`).
   */
  action: z.enum(['copy', 'resume', 'same', 'refused']),
  /** What is there of the same moment is damaged, or lacks parts: it is put in place once more. */
  mends: z.boolean(),
  /** What is there of the same moment is another backup, which this one takes the place of, as asked for; it is pinned first. */
  displaces: z.boolean().default(false),
  /** `same`, and the index of the source does not say yet that the filestore has it: it learns it. */
  marks: z.boolean().default(false),
  /** One sentence. */
  reason: z.string(),
  parts: z.array(z.object({ part: partKindSchema, file: z.string(), size: z.number() })),
  bytes: z.number(),
  storedBytes: z.number(),
  /** ISO UTC: the older backup in that slot, which it replaces; null: the slot is empty. */
  replaces: z.string().nullable(),
})

/** A backup that is deleted because the source does not have it. Only ever what is listed here. */
export const transferDeletionSchema = z.object({
  name: z.string(),
  timestamp: z.string(),
  files: z.array(z.string()),
  bytes: z.number(),
})

/** What a transfer would do; nothing has been changed when it is shown. */
export const transferPlanSchema = z.object({
  id: z.string(),
  sha256: z.string(),
  createdAt: z.iso.datetime(),
  expiresAt: z.iso.datetime(),
  site: z.string(),
  from: repositoryNameSchema,
  to: repositoryNameSchema,
  /** The folder, `sftp://…` or `s3://…`, for people. */
  fromPlace: z.string(),
  toPlace: z.string(),
  /** Newest first. */
  items: z.array(transferItemSchema),
  deletions: z.array(transferDeletionSchema),
  /** Still to be transferred. */
  bytes: z.number(),
  checks: z.array(planCheckSchema),
  /** False for a fetch into the vault that deletes nothing. */
  needsConfirmation: z.boolean(),
  /** False when a check failed, or there is nothing to do. */
  runnable: z.boolean(),
})

export const transferredSchema = z.object({
  name: z.string(),
  timestamp: z.string(),
  outcome: z.enum(['copied', 'same', 'failed', 'deleted']),
  /** Why it failed; else a finding. */
  text: z.string(),
  /** Bytes that went over the wire in this run. */
  bytes: z.number(),
})

/** The result of a `transfer` job. A backup that could not be copied fails the job when all others were tried. */
export const transferResultSchema = z.object({
  from: repositoryNameSchema,
  to: repositoryNameSchema,
  backups: z.array(transferredSchema),
  bytes: z.number(),
  seconds: z.number(),
})

export type TransferItem = z.infer<typeof transferItemSchema>
export type TransferDeletion = z.infer<typeof transferDeletionSchema>
export type TransferPlan = z.infer<typeof transferPlanSchema>
export type Transferred = z.infer<typeof transferredSchema>
export type TransferResult = z.infer<typeof transferResultSchema>
