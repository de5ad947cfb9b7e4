/*
 * Entry of the app: the command line of `zbd` when asked for, else the window. Start-up order only.
 * Electron gets ready only after this module has ended: the terminal waits here on purpose, and the window must not.
 */
const zbd = process.argv.indexOf('--zbd')
if (zbd >= 0) {
  const { runInTerminal } = await import('./shell/terminal.ts')
  await runInTerminal(process.argv.slice(zbd + 1))
} else {
  const { startShell } = await import('./shell/start.ts')
  startShell()
}

export {}
