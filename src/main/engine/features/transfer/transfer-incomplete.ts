import { AppError } from '#shared/errors.ts'
import { formatPlural, formatSome } from '#shared/format.ts'
import type { TransferPlan, TransferResult } from '#shared/model/transfer.ts'
import { toCopy, toMark } from './describe-plan.ts'

/** As many reasons as an error has room for. */
const NAMED = 3

/** A backup of a plan that could not be brought in step. */
export interface TransferFailure {
  name: string
  error: AppError
}

/** What a transfer says in the end of which not all was done: the reason of the only one, else of some of them. */
export function transferIncomplete(plan: TransferPlan, failures: readonly TransferFailure[], result: TransferResult): AppError {
  const [first] = failures
  const asked = toCopy(plan).length + toMark(plan).length + plan.deletions.length
  if (first && asked === 1) {
    const { code, message, hint, details } = first.error
    return new AppError(code, message, { hint, details: { ...details, result }, cause: first.error })
  }
  const reasons = failures.map(({ name, error }) => `${name}: ${error.message}`)
  const done =
    plan.deletions.length > 0 ? 'What could be copied is there; what was not deleted is as it was' : 'The others are done'
  return new AppError(
    'transfer-incomplete',
    `${failures.length} of ${formatPlural(asked, 'backup')} could not be brought in step. ${formatSome(reasons, NAMED)}`,
    { hint: `${done}. Run it again: it goes on where it stopped.`, details: { result } },
  )
}
