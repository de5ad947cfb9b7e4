/*
 * The whole path of a database's part, as a process of its own: the dump, compressed, hashed, written and synced.
 * The connection comes as JSON on standard input, so that no password is in the arguments. Prints what it took as JSON.
 */
import { open } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { text } from 'node:stream/consumers'
import { openDatabaseDump } from '#engine/features/backup/database-dump.ts'
import { checkPart } from '#engine/features/backup/part-check.ts'
import { writePart } from '#engine/features/backup/part-writer.ts'
import { workerFile } from '#engine/foundation/bundles.ts'
import { createWorkers } from '#engine/foundation/workers.ts'
import type { DumpOrder } from './dump-in-child.ts'

const { connection, schema, engine, file, compression, isChecked } = JSON.parse(await text(process.stdin)) as DumpOrder
process.once('uncaughtException', (error) => {
  console.error(error.message)
  process.exit(1)
})
const { signal } = new AbortController()
const workers = createWorkers({ file: workerFile() })
const before = process.memoryUsage.rss()
const started = performance.now()
const dump = await openDatabaseDump({ connection, schema, engine, scratch: tmpdir(), signal, onProgress: () => {} })
const stored = await writePart(dump.stream, await open(file, 'wx'), { password: null, compression, workers, signal })
const seconds = (performance.now() - started) / 1000
const { userCPUTime, systemCPUTime, maxRSS } = process.resourceUsage()
const checking = performance.now()
if (isChecked) await checkPart(file, 'database', stored, { password: null, workers, signal })
const checkSeconds = (performance.now() - checking) / 1000
await workers.close()
const facts = {
  ...stored,
  seconds,
  checkSeconds,
  cpuSeconds: (userCPUTime + systemCPUTime) / 1e6,
  startBytes: before,
  peakBytes: maxRSS * 1024,
}
console.log(JSON.stringify(facts))
