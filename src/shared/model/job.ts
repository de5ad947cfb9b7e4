import { z } from 'zod'
import { appErrorSchema } from '../errors.ts'

export const jobStateSchema = z.enum(['queued', 'running', 'waiting', 'done', 'failed', 'cancelled', 'interrupted'])
export const jobUnitSchema = z.enum(['bytes', 'rows', 'files', 'steps'])

export const jobPhaseSchema = z.object({
  name: z.string(),
  done: z.number(),
  /** null: not known; the window shows a stripe with a count, never a made-up percentage. */
  total: z.number().nullable(),
  unit: jobUnitSchema,
  /** Units a second over the last seconds; null until it is known. */
  rate: z.number().nullable(),
  secondsLeft: z.number().nullable(),
})

/** A part of a job that has an outcome of its own: a file to decrypt, a step of a restore. */
export const jobItemSchema = z.object({
  id: z.string(),
  name: z.string(),
  state: z.enum(['waiting', 'running', 'done', 'failed', 'refused', 'needs-password', 'skipped']),
  /** One plain sentence: what is going on, or the outcome. */
  detail: z.string(),
  done: z.number(),
  total: z.number().nullable(),
  /** Facts of the item, shaped by the job's kind. */
  facts: z.record(z.string(), z.unknown()),
})

export const jobKindSchema = z.enum([
  'backup',
  'verify',
  'restore-plan',
  'restore',
  'way-back-plan',
  'undo',
  'drop',
  'drill',
  'pin',
  'remove-backup',
  'transfer-plan',
  'transfer',
  'server-backup',
  'server-command',
  'discover',
  'decrypt',
  'demo-start',
  'demo-stop',
  'demo-reset',
  'demo-remove',
])

export const jobSchema = z.object({
  id: z.string(),
  kind: jobKindSchema,
  /** For people: "Backing up testsite". */
  title: z.string(),
  site: z.string().nullable(),
  state: jobStateSchema,
  createdAt: z.iso.datetime(),
  startedAt: z.iso.datetime().nullable(),
  endedAt: z.iso.datetime().nullable(),
  phase: jobPhaseSchema.nullable(),
  items: z.array(jobItemSchema),
  /** What a waiting job waits for. */
  question: z.string().nullable(),
  /** What it holds while it runs: `site:NAME`, `file:PATH`. */
  holds: z.array(z.string()),
  result: z.unknown().nullable(),
  error: appErrorSchema.nullable(),
  /** 'window' or 'zbd'. */
  program: z.string(),
  /** False for a failed or interrupted job that nobody looked at yet. */
  seen: z.boolean(),
})

export const jobLogLineSchema = z.object({ at: z.iso.datetime(), text: z.string() })

export type JobState = z.infer<typeof jobStateSchema>
export type JobUnit = z.infer<typeof jobUnitSchema>
export type JobPhase = z.infer<typeof jobPhaseSchema>
export type JobItem = z.infer<typeof jobItemSchema>
export type JobKind = z.infer<typeof jobKindSchema>
export type Job = z.infer<typeof jobSchema>
export type JobLogLine = z.infer<typeof jobLogLineSchema>

export function isJobActive(job: Pick<Job, 'state'>): boolean {
  return job.state === 'queued' || job.state === 'running' || job.state === 'waiting'
}
