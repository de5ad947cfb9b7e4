import { z } from 'zod'
import { startedSchema } from './backups.ts'
import { defineProcedure } from './define.ts'

export const demoStateSchema = z.object({
  state: z.enum(['absent', 'stopped', 'running']),
  site: z.string(),
  bytes: z.number().nullable(),
  /** False where this package has no embedded PostgreSQL for the machine. */
  available: z.boolean(),
})

export const demo = {
  'demo.state': defineProcedure({ input: z.strictObject({}), output: demoStateSchema, effect: 'read' }),
  /** Makes it the first time, else starts it. Result of the job: `{ site }`. */
  'demo.start': defineProcedure({ input: z.strictObject({}), output: startedSchema, effect: 'local' }),
  'demo.stop': defineProcedure({ input: z.strictObject({}), output: startedSchema, effect: 'local' }),
  /** Back to its first state. Confirmed by the shell. */
  'demo.reset': defineProcedure({
    input: z.strictObject({}),
    output: z.object({ jobId: z.string().nullable() }),
    effect: 'delete',
  }),
  /** Removes database, folders, vault and settings of the demo. Confirmed by the shell. */
  'demo.remove': defineProcedure({
    input: z.strictObject({}),
    output: z.object({ jobId: z.string().nullable() }),
    effect: 'delete',
  }),
}

export type DemoState = z.infer<typeof demoStateSchema>
