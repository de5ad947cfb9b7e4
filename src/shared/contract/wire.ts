import { z } from 'zod'
import { appErrorSchema } from '../errors.ts'
import { eventSchema } from './events.ts'

/** What goes over the MessagePort between window and engine. */
export const requestSchema = z.object({ id: z.int(), name: z.string().max(100), input: z.unknown() })
export const fromEngineSchema = z.union([
  z.object({ id: z.int(), ok: z.literal(true), output: z.unknown() }),
  z.object({ id: z.int(), ok: z.literal(false), error: appErrorSchema }),
  z.object({ event: eventSchema }),
])

export type RequestMessage = z.infer<typeof requestSchema>
export type FromEngineMessage = z.infer<typeof fromEngineSchema>
