import { startCluster } from '#engine/foundation/embedded-postgres/cluster.ts'

/** Starts a demo and a scratch cluster in the two folders named, says so, and waits to be killed. */
const [demo, scratch] = process.argv.slice(2)
await startCluster({ folder: demo!, purpose: 'demo', program: 'zbd' })
await startCluster({ folder: scratch!, purpose: 'scratch', program: 'zbd' })
process.send?.('up')
setInterval(() => {}, 1000)
