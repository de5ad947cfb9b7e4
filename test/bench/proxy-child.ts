import { startTcpProxy } from '#test/support/tcp-proxy.ts'

/** A way to a port that takes time, in a program of its own; prints its port. */
const [port, delayMs] = process.argv.slice(2).map(Number)
const proxy = await startTcpProxy(port ?? 0, { delayMs: delayMs ?? 0 })
process.stdout.write(`${proxy.port}\n`)
