/*
 * Entry of the app: the command line of `zbd` when asked for, else the window. Start-up order only.
 * Not awaiting `app.whenReady()` here is on purpose: at the top level of an ES module it never settles.
 */
const zbd = process.argv.indexOf('--zbd')
if (zbd >= 0) {
  const { runInTerminal } = await import('./shell/terminal.ts')
  runInTerminal(process.argv.slice(zbd + 1))
} else {
  const { startShell } = await import('./shell/start.ts')
  startShell()
}

export {}
