import { readFileSync } from 'node:fs'

/** A process, told apart from a later one that got the same pid. */
export interface ProcessIdentity {
  pid: number
  /** Start time in the system's own count; null where the system does not tell it cheaply. */
  start: string | null
}

/** Start time of a process in clock ticks since boot; null when it is gone or the system does not say. */
function startOf(pid: number): string | null {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'latin1')
    // the command in parentheses may hold anything, so count from its end; field 22 is the start time
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    if (fields[0] === 'Z') return null
    return fields[19] ?? null
  } catch {
    return null
  }
}

export function identityOf(pid: number): ProcessIdentity {
  return { pid, start: startOf(pid) }
}

export function ownIdentity(): ProcessIdentity {
  return identityOf(process.pid)
}

/** True while the very process of this identity runs. A zombie counts as gone. */
export function isAlive(identity: ProcessIdentity): boolean {
  if (identity.start !== null) return startOf(identity.pid) === identity.start
  try {
    process.kill(identity.pid, 0)
    return true
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM'
  }
}
