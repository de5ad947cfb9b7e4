import { appendFile, readdir, rm } from 'node:fs/promises'
import { join } from 'node:path'

const KEPT_DAYS = 30
const SECRET_KEY = /pass(word|phrase)?|secret|token|credential|private.?key|authorization/i
const MAX_DEPTH = 6

/** The day's log file, one JSON object a line. Values under secret-looking keys are replaced. */
export interface Logger {
  info(message: string, facts?: Record<string, unknown>): void
  warn(message: string, facts?: Record<string, unknown>): void
  error(message: string, facts?: Record<string, unknown>): void
  /** Resolves when everything logged so far is in the file. */
  flush(): Promise<void>
}

/** Copies facts for the log, without what stands under a secret-looking key. */
export function redact(value: unknown, depth = 0): unknown {
  if (value instanceof Error) return { name: value.name, message: value.message, stack: value.stack }
  if (typeof value !== 'object' || value === null) return value
  if (depth >= MAX_DEPTH) return '…'
  if (Array.isArray(value)) return value.slice(0, 200).map((entry) => redact(entry, depth + 1))
  return Object.fromEntries(
    Object.entries(value).map(([key, entry]) => [
      key,
      SECRET_KEY.test(key) && typeof entry !== 'boolean' ? '***' : redact(entry, depth + 1),
    ]),
  )
}

/** Opens the log of a program in a folder; files older than 30 days go. */
export function openLog(folder: string, program: string): Logger {
  let queue: Promise<void> = removeOld(folder)
  const write = (level: string, message: string, facts: Record<string, unknown> = {}) => {
    const at = new Date().toISOString()
    const line = `${JSON.stringify({ at, level, program, pid: process.pid, message, ...(redact(facts) as object) })}\n`
    // a log that cannot be written must not stop the work that it is about
    queue = queue.then(() => appendFile(join(folder, `${at.slice(0, 10)}.log`), line, { mode: 0o600 })).catch(() => {})
  }
  return {
    info: (message, facts) => write('info', message, facts),
    warn: (message, facts) => write('warn', message, facts),
    error: (message, facts) => write('error', message, facts),
    flush: () => queue,
  }
}

async function removeOld(folder: string): Promise<void> {
  const oldest = new Date(Date.now() - KEPT_DAYS * 86_400_000).toISOString().slice(0, 10)
  for (const name of await readdir(folder).catch(() => [])) {
    if (/^\d{4}-\d\d-\d\d\.log$/.test(name) && name < oldest) await rm(join(folder, name), { force: true })
  }
}
