import { spawn } from 'node:child_process'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import type { PostgresConnection } from '#engine/foundation/connections/postgres.ts'

const CHILD = fileURLToPath(new URL('./dump-child.ts', import.meta.url))

export interface DumpOrder {
  connection: PostgresConnection
  schema: string
  engine: 'built-in' | 'pg_dump'
  file: string
  /** gzip level. */
  compression: number
  /** Reads the file back to its end afterwards. */
  isChecked: boolean
}

export interface DumpFacts {
  /** Bytes of the file, and unpacked. */
  size: number
  plainSize: number
  checkSeconds: number
  cpuSeconds: number
  /** Resident memory before the dump, and the most that the process ever had. */
  startBytes: number
  peakBytes: number
}

/** Runs test/bench/dump-child.ts to its end. */
export async function dumpInChild(order: DumpOrder): Promise<DumpFacts> {
  const child = spawn(process.execPath, [CHILD], { stdio: ['pipe', 'pipe', 'pipe'] })
  const closed = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  child.stdin.end(JSON.stringify(order))
  const [answer, messages, code] = await Promise.all([text(child.stdout), text(child.stderr), closed])
  if (code !== 0) throw new Error(`the dump ended with code ${code}: ${messages.slice(0, 2000)}`)
  return JSON.parse(answer) as DumpFacts
}
