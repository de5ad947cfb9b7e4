import type { RunResult, SshConnection } from '#engine/foundation/connections/ssh/types.ts'
import { cutRecords } from '#engine/foundation/content/cut-records.ts'
import { AppError } from '#shared/errors.ts'

/** Paths are shorter. */
const MOST_RECORD_BYTES = 64 * 1024

/** What a command of the server failed with. */
export function serverToolFailed(tool: string, { code, stderr }: Pick<RunResult, 'code' | 'stderr'>): AppError {
  const said = stderr.trim().slice(-500)
  const how = code === null ? 'was ended' : `ended with code ${code}`
  return new AppError('server-tool-failed', `${tool} ${how} on the server.${said ? ` It said: ${said}` : ''}`, {
    hint: 'GNU find, tar and coreutils are needed there, and the right to read the site’s folders.',
    details: { tool, exitCode: code },
  })
}

/**
 * Runs a command of the server whose output is records that end with NUL; reads them one by one.
 * @param input records for its standard input
 * @throws AppError `server-tool-failed` when nothing came and it failed; a record that is missing is for the caller to notice
 */
export async function* recordsOf(
  server: SshConnection,
  command: readonly string[],
  signal: AbortSignal,
  input: Iterable<string> = [],
): AsyncGenerator<string> {
  const running = await server.start(command, signal)
  running.ended.catch(() => {})
  running.stdin.on('error', () => {})
  const fed = feed(running.stdin, input)
  const tooLong = () => serverToolFailed(command[0] ?? '', { code: null, stderr: 'its output is no list of files' })
  let count = 0
  for await (const record of cutRecords(running.stdout, { end: 0, most: MOST_RECORD_BYTES, tooLong })) {
    count += 1
    yield record
  }
  const result = await running.ended
  await fed
  if (count === 0 && result.code !== 0) throw serverToolFailed(command[0] ?? '', result)
}

async function feed(stdin: NodeJS.WritableStream & { destroyed?: boolean }, input: Iterable<string>): Promise<void> {
  for (const record of input) {
    if (stdin.write(`${record}\0`)) continue
    await new Promise<void>((resolve) => {
      const goOn = () => {
        stdin.off('drain', goOn)
        stdin.off('close', goOn)
        resolve()
      }
      stdin.on('drain', goOn)
      stdin.on('close', goOn)
      if (stdin.destroyed) goOn()
    })
    if (stdin.destroyed) return
  }
  stdin.end()
}
