/** The day's log file, one JSON object a line. Values under secret-looking keys are replaced. */
export interface Logger {
  info(message: string, facts?: Record<string, unknown>): void
  warn(message: string, facts?: Record<string, unknown>): void
  error(message: string, facts?: Record<string, unknown>): void
}
