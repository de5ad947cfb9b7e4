import type { z } from 'zod'
import type { OutputOf, ParsedInputOf, Procedure } from '#shared/contract/define.ts'
import { contract, type ProcedureName } from '#shared/contract/index.ts'
import { AppError, toAppError } from '#shared/errors.ts'

/** The handlers of one contract area. */
export type Handlers<C extends Record<string, Procedure>> = {
  [K in keyof C]: (input: ParsedInputOf<C[K]>) => Promise<OutputOf<C[K]>>
}

export interface Router {
  /** Parses the input, runs the handler, checks the output. Rejects with an AppError only. */
  call(name: string, input: unknown): Promise<unknown>
}

/**
 * @param handlers one for every procedure of the contract
 * @param before runs before each handler, e.g. to wait until start-up repairs are done
 */
export function createRouter(handlers: Handlers<typeof contract>, before: (procedure: Procedure) => Promise<void>): Router {
  return {
    async call(name, input) {
      if (!Object.hasOwn(contract, name)) {
        throw new AppError('unknown-procedure', `There is no action "${name.slice(0, 100)}".`, {
          hint: 'Window and engine are of different versions: start the app again.',
        })
      }
      const procedure: Procedure = contract[name as ProcedureName]
      const parsed = procedure.input.safeParse(input)
      if (!parsed.success) throw badInput(name, parsed.error)
      try {
        await before(procedure)
        const handler = handlers[name as ProcedureName] as (input: unknown) => Promise<unknown>
        return procedure.output.parse(await handler(parsed.data))
      } catch (error) {
        throw toAppError(error)
      }
    },
  }
}

/** What is wrong with an input, by field. Says nothing of the values: one of them may be a password. */
function badInput(name: string, error: z.ZodError): AppError {
  const issues = error.issues.map((issue) => ({ field: issue.path.join('.') || '(all)', problem: issue.message }))
  const first = issues[0]
  return new AppError(
    'bad-input',
    `${name}: ${first ? `${first.field}: ${first.problem}` : 'the input does not fit'}. Nothing was done.`,
    {
      hint: 'Correct the named field and try again.',
      details: { issues: issues.slice(0, 20) },
    },
  )
}
