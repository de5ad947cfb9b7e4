import type { DeskBridge } from '#shared/contract/bridge.ts'
import type { Client, ProcedureInput, ProcedureName, ProcedureOutput } from '#shared/contract/index.ts'
import { AppError, appErrorSchema, toAppError } from '#shared/errors.ts'

/** What the preload put on the window: the only way out of this page. */
export const desk: DeskBridge = window.desk

/** The contract as typed calls to the engine. Rejects with {@link AppError} only. */
export const client: Client = {
  async call<N extends ProcedureName>(name: N, input: ProcedureInput<N>): Promise<ProcedureOutput<N>> {
    try {
      return (await desk.invoke(name, input)) as ProcedureOutput<N>
    } catch (error) {
      throw readError(error)
    }
  },
}

export const call = client.call

/** Errors lose their class on the way through the context bridge; the data is what counts. */
export function readError(error: unknown): AppError {
  if (error instanceof AppError) return error
  const carried = typeof error === 'object' && error !== null && 'error' in error ? error.error : error
  const data = appErrorSchema.safeParse(carried)
  return data.success ? AppError.fromData(data.data) : toAppError(error)
}

/** The fresh nonce that the app:// handler put into this page, for the style elements that libraries make. */
export function cspNonce(): string {
  const meta = document.querySelector<HTMLMetaElement>('meta[property="csp-nonce"]')
  return meta?.nonce ?? ''
}

export const isMac = desk.platform === 'darwin'
