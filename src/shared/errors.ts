import { z } from 'zod'

/** An error as it crosses a process border: plain data that can be shown, logged and printed as JSON. */
export const appErrorSchema = z.object({
  /** Stable, kebab-case; programs may rely on it. */
  code: z.string(),
  /** What happened, and what is still intact: one or two plain sentences. */
  message: z.string(),
  /** What the operator can do now; empty when there is nothing to do. */
  hint: z.string(),
  /** Facts for programs: names, sizes, positions. Never a secret. */
  details: z.record(z.string(), z.unknown()),
})

export type AppErrorData = z.infer<typeof appErrorSchema>

/** The one error type that reaches people. */
export class AppError extends Error {
  readonly code: string
  readonly hint: string
  readonly details: Record<string, unknown>

  /**
   * @param code stable kebab-case code
   * @param message what happened and what is still intact
   * @param options.hint what to do now
   * @param options.details facts for programs, never a secret
   */
  constructor(
    code: string,
    message: string,
    options: { hint?: string; details?: Record<string, unknown>; cause?: unknown } = {},
  ) {
    super(message, { cause: options.cause })
    this.name = 'AppError'
    this.code = code
    this.hint = options.hint ?? ''
    this.details = options.details ?? {}
  }

  toData(): AppErrorData {
    return { code: this.code, message: this.message, hint: this.hint, details: this.details }
  }

  static fromData(data: AppErrorData): AppError {
    return new AppError(data.code, data.message, { hint: data.hint, details: data.details })
  }
}

/** The error of a cancelled operation. */
export function cancelledError(): AppError {
  return new AppError('cancelled', 'Cancelled. Nothing half-made is left behind.')
}

/** @throws AppError `cancelled` */
export function throwIfCancelled(signal: { readonly aborted: boolean } | undefined): void {
  if (signal?.aborted) throw cancelledError()
}

/** True for our own cancellation and for the AbortError of node and the DOM. */
export function isCancelled(error: unknown): boolean {
  if (error instanceof AppError) return error.code === 'cancelled'
  return error instanceof Error && error.name === 'AbortError'
}

/** Turns anything thrown into an {@link AppError}; unknown errors keep their message under code `internal`. */
export function toAppError(error: unknown): AppError {
  if (error instanceof AppError) return error
  if (isCancelled(error)) return cancelledError()
  const cause = error instanceof Error ? error : new Error(String(error))
  const system = systemErrorText(cause)
  if (system) return system
  return new AppError('internal', cause.message || 'An unexpected error stopped this action.', {
    hint: 'The log of this day has the details. What was there before is unchanged unless the message says otherwise.',
    cause,
  })
}

const SYSTEM_ERRORS: Record<string, [code: string, text: string, hint: string]> = {
  ENOENT: ['not-found', 'The file or folder does not exist', 'Check the path.'],
  EACCES: ['no-permission', 'Permission denied', 'Check the owner and mode of the file or folder.'],
  EPERM: ['no-permission', 'Operation not permitted', 'Check the owner and mode of the file or folder.'],
  ENOSPC: ['disk-full', 'The disk is full', 'Free some space, then run it again. What was there before is unchanged.'],
  EROFS: ['read-only', 'The file system is read-only', 'Choose another folder.'],
  EISDIR: ['is-a-folder', 'This is a folder, not a file', 'Name a file.'],
  ENOTDIR: ['not-a-folder', 'This is not a folder', 'Name a folder.'],
  ECONNREFUSED: ['connection-refused', 'Nothing answers at this address', 'Is the server running? Check host and port.'],
  ENOTFOUND: ['unknown-host', 'This host name is not known', 'Check the spelling and the network.'],
  ETIMEDOUT: ['timeout', 'The server did not answer in time', 'Check host, port and network.'],
}

function systemErrorText(error: Error & { code?: unknown; path?: unknown; address?: unknown; port?: unknown }): AppError | null {
  const known = typeof error.code === 'string' ? SYSTEM_ERRORS[error.code] : undefined
  if (!known) return null
  const [code, text, hint] = known
  const place =
    typeof error.path === 'string'
      ? `: ${error.path}`
      : typeof error.address === 'string'
        ? `: ${error.address}:${String(error.port ?? '')}`
        : ''
  return new AppError(code, `${text}${place}.`, { hint, details: { system: error.code }, cause: error })
}
