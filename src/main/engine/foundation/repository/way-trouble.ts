import { AppError } from '#shared/errors.ts'
import { isRepeatable } from './repeating.ts'

const OF_THE_WAY =
  /^(?:filestore|bucket|host|key|secrets)-|^(?:log-in-refused|sftp-refused|forward-refused|repository-unreachable|repository-timeout)$/

/** Whether an error is about the way to a server or filestore, and says nothing of the files there. */
export function isTroubleOfTheWay(error: unknown): boolean {
  return isRepeatable(error) || (error instanceof AppError && OF_THE_WAY.test(error.code))
}
