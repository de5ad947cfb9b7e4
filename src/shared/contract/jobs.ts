import { z } from 'zod'
import { jobLogLineSchema, jobSchema } from '../model/job.ts'
import { siteNameSchema } from '../model/site.ts'
import { defineProcedure } from './define.ts'

export const jobs = {
  /** Newest first; running ones of every program included. */
  'jobs.list': defineProcedure({
    input: z.strictObject({ site: siteNameSchema.optional(), limit: z.int().min(1).max(1000).default(200) }),
    output: z.object({ jobs: z.array(jobSchema) }),
    effect: 'read',
  }),
  'jobs.show': defineProcedure({
    input: z.strictObject({ id: z.string() }),
    output: z.object({ job: jobSchema, log: z.array(jobLogLineSchema) }),
    effect: 'read',
  }),
  'jobs.cancel': defineProcedure({
    input: z.strictObject({ id: z.string() }),
    output: z.object({ asked: z.boolean() }),
    effect: 'local',
  }),
  /** A failed job was looked at: it leaves the job bar. */
  'jobs.markSeen': defineProcedure({ input: z.strictObject({ id: z.string() }), output: z.object({}), effect: 'local' }),
}
