import { app } from 'electron'
import { runCli } from '#cli/index.ts'
import { toAppError } from '#shared/errors.ts'

/** The app's own program as `zbd`: no window, no screen needed. */
export function runInTerminal(args: string[]): void {
  // Chromium would look for a display before anything is shown
  app.commandLine.appendSwitch('ozone-platform', 'headless')
  app.commandLine.appendSwitch('disable-gpu')
  app.dock?.hide()
  runCli(args).then(
    (code) => app.exit(code),
    (error) => {
      process.stderr.write(`zbd: ${toAppError(error).message}\n`)
      app.exit(1)
    },
  )
}
