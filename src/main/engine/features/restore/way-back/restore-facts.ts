import { z } from 'zod'
import type { Job } from '#shared/model/job.ts'
import type { RestorePlan, WayBackPlan } from '#shared/model/plan.ts'

/** The item of a job that holds what it set aside: its first step, so that an interrupted job has it too. */
const ITEM = 'check'

const factsSchema = z.object({
  setAside: z.object({
    by: z.enum(['restore', 'undo']),
    /** The schema that was live, and its name since. */
    schema: z.string(),
    keptSchema: z.string().nullable(),
    backup: z.object({ name: z.string(), timestamp: z.string() }).nullable(),
  }),
})

/** What a job set aside, as its journal remembers it. */
export type SetAside = z.infer<typeof factsSchema>['setAside']

export function restoreFacts({ schema, keptSchema, backup }: RestorePlan): Record<string, unknown> {
  const { name, timestamp } = backup
  return { setAside: { by: 'restore', schema, keptSchema, backup: { name, timestamp } } satisfies SetAside }
}

/** @param schema the live one */
export function undoFacts({ keptSchema }: WayBackPlan, schema: string): Record<string, unknown> {
  return { setAside: { by: 'undo', schema, keptSchema, backup: null } satisfies SetAside }
}

/** null: the job set nothing aside, or is too old to tell. */
export function setAsideBy(job: Job): SetAside | null {
  const facts = job.items.find(({ id }) => id === ITEM)?.facts
  return factsSchema.safeParse(facts).data?.setAside ?? null
}
