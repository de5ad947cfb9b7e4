/*
 * The whole path of a dump into a database, as a process of its own: read, hashed, unpacked, loaded. The connection comes
 * as JSON on standard input, so that no password is in the arguments. Prints what it took as JSON.
 */
import { basename, dirname } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { text } from 'node:stream/consumers'
import { loadDump } from '#engine/features/restore/load.ts'
import { openPart } from '#engine/features/restore/open-part.ts'
import { workerFile } from '#engine/foundation/bundles.ts'
import type { PostgresConnection } from '#engine/foundation/connections/postgres.ts'
import { openFolderRepository } from '#engine/foundation/repository/folder.ts'
import { createWorkers } from '#engine/foundation/workers.ts'

interface Order {
  connection: PostgresConnection
  schema: string
  file: string
}

const { connection, schema, file } = JSON.parse(await text(process.stdin)) as Order
const { signal } = new AbortController()
const workers = createWorkers({ file: workerFile() })
const repository = openFolderRepository({ folder: dirname(file), owner: 'home' })
const stat = await repository.stat(basename(file))
if (!stat) throw new Error(`no ${file}`)
const delays = monitorEventLoopDelay({ resolution: 1 })
delays.enable()
const part = { file: basename(file), version: stat.version, isEncrypted: false }
const open = await openPart({ repository, part, passwords: [], workers, signal })
const { rows, statements } = await loadDump({ connection, script: open.content, schema, keepLiveAs: null, signal })
delays.disable()
await workers.close()
const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage()
const facts = {
  rows,
  statements,
  longestBlockMs: delays.max / 1e6,
  cpuSeconds: (userCPUTime + systemCPUTime) / 1e6,
  peakBytes: maxRSS * 1024,
}
console.log(JSON.stringify(facts))
