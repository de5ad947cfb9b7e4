import { app } from 'electron'
import { runCli } from '#cli/index.ts'
import { toAppError } from '#shared/errors.ts'

/**
 * The app's own program as `zbd`. The entry waits for this before Chromium starts up, so that it needs no screen
 * and no profile; the process has ended before it would.
 */
export async function runInTerminal(args: string[]): Promise<void> {
  app.dock?.hide()
  const code = await runCli(args).catch((error) => {
    process.stderr.write(`zbd: ${toAppError(error).message}\n`)
    return 1
  })
  // on some systems pipes are written later
  await new Promise((resolve) => process.stdout.write('', resolve))
  await new Promise((resolve) => process.stderr.write('', resolve))
  process.exit(code)
}
