import { AppError } from '#shared/errors.ts'

/** For procedures of the contract whose feature is being built. */
export async function beingBuilt(): Promise<never> {
  throw new AppError('being-built', 'This is being built. Nothing was changed.')
}
