import type { ClientChannel } from 'ssh2'
import type { Link } from './link.ts'
import { requireCommand } from './quote.ts'

const PID_MARK = 'backup-desk-pid'
const PID_LINE = /^backup-desk-pid (\d+)\n/m
const PID_MS = 5000
const FIRST_BYTES = 16 * 1024

/**
 * The command, with its process id as the first line that it says: a command that is given up is ended by another one. SSH
 * has signals too, but OpenSSH passes none on to commands of root, and ssh2 sends none once the input was closed.
 * @throws AppError `bad-command`
 */
export function tellingPid(command: readonly string[]): string[] {
  requireCommand(command)
  return ['sh', '-c', `echo "${PID_MARK} $$" >&2; exec "$@"`, 'sh', ...command]
}

/** Resolves when the line came; null: it did not within some seconds. */
export function pidTold(channel: ClientChannel): Promise<number | null> {
  return new Promise((resolve) => {
    let said = ''
    const tell = (pid: number | null) => {
      clearTimeout(timer)
      channel.stderr.off('data', listen)
      resolve(pid)
    }
    const listen = (chunk: Buffer) => {
      said = (said + chunk.toString('latin1')).slice(0, FIRST_BYTES)
      const found = PID_LINE.exec(said)
      if (found) tell(Number(found[1]))
    }
    const timer = setTimeout(() => tell(null), PID_MS)
    channel.stderr.on('data', listen)
    channel.once('close', () => tell(null))
  })
}

/** Ends a command by the number of its process. */
export function endByPid(link: Link, pid: number | null): Promise<void> {
  return new Promise((resolve) => {
    if (pid === null || link.lost) return resolve()
    link.onLost(() => resolve())
    try {
      // the whole group, or at least the one process when it leads none
      link.client.exec(`kill -TERM -- -${pid} 2>/dev/null || kill -TERM ${pid}`, (_error, killing) => {
        killing?.resume()
        resolve()
      })
    } catch {
      // a connection that is on its way down: what ran over it is told so
      resolve()
    }
  })
}

/** What a command said, without the line that was put before it. */
export function withoutPid(messages: string): string {
  return messages.replace(PID_LINE, '')
}
