import type { z } from 'zod'

/**
 * What a procedure may do. `read` changes nothing; `local` changes this computer only and nothing that
 * was there before is lost; `server` changes a server; `delete` deletes something. The last two exist only
 * as a pair `x.plan` and `x.run`, or ask the shell for a confirmation of their own.
 */
export type Effect = 'read' | 'local' | 'server' | 'delete'

export interface Procedure<I extends z.ZodType = z.ZodType, O extends z.ZodType = z.ZodType> {
  readonly input: I
  readonly output: O
  readonly effect: Effect
}

/** One entry of the contract: what goes in, what comes out, what it may change. */
export function defineProcedure<I extends z.ZodType, O extends z.ZodType>(procedure: Procedure<I, O>): Procedure<I, O> {
  return procedure
}

export type InputOf<P extends Procedure> = z.input<P['input']>
export type ParsedInputOf<P extends Procedure> = z.output<P['input']>
export type OutputOf<P extends Procedure> = z.output<P['output']>
