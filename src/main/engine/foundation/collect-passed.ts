import { setFlagsFromString } from 'node:v8'
import { runInNewContext } from 'node:vm'

/** Often enough that V8 never comes to its own bound, 64 MB of buffers. */
const EVERY_BYTES = 8 * 1024 * 1024

type Collect = (options: { type: 'minor' }) => void

let collect: Collect | null | undefined
let passed = 0

/**
 * To be told of bytes that are read and sent on: has V8 clear away its youngest objects, and the buffers behind them, every few
 * megabytes, which takes a millisecond. By itself it does so by the number of objects, of which there are few: the bytes of their
 * buffers become too many before, and for these it looks through all of its memory, which takes 20 ms, fifty times a gigabyte.
 */
export function collectPassed(bytes: number): void {
  passed += bytes
  if (passed < EVERY_BYTES) return
  passed = 0
  if (collect === undefined) collect = findCollector()
  collect?.({ type: 'minor' })
}

/** Null: this runtime hands it to nobody. */
function findCollector(): Collect | null {
  setFlagsFromString('--expose-gc')
  try {
    const found: unknown = runInNewContext('globalThis.gc')
    return typeof found === 'function' ? (found as Collect) : null
  } finally {
    setFlagsFromString('--no-expose-gc')
  }
}
