import { randomFillSync } from 'node:crypto'
import { Readable } from 'node:stream'
import { createEncryptStream, decryptFile } from '#engine/features/encryption/index.ts'
import { createWorkers } from '#engine/foundation/workers.ts'

/** What the program below is asked to do: once, or with several files side by side. */
export type CryptTask =
  | { kind: 'decrypt'; path: string; out: string; password: string }
  | { kind: 'encrypt'; bytes: number; files: number; password: string }

export interface CryptResult {
  seconds: number
  /** The most memory that the process had at once, in bytes. */
  peak: number
  threads: number
}

interface ParentPort {
  on(event: 'message', listener: (message: { data: CryptTask }) => void): void
  postMessage(result: CryptResult | { error: string }): void
}

/*
 * Encrypts and decrypts as the engine does, in a process of its own: Node's, or a utility process of Electron.
 * The worker's file is its only argument.
 */
const workers = createWorkers({ file: process.argv[2] ?? '' })
const { parentPort } = process as typeof process & { parentPort?: ParentPort }
if (parentPort) parentPort.on('message', ({ data }) => void answer(data, (result) => parentPort.postMessage(result)))
else process.on('message', (task: CryptTask) => void answer(task, (result) => process.send?.(result)))

async function answer(task: CryptTask, reply: (result: CryptResult | { error: string }) => void): Promise<void> {
  try {
    let peak = 0
    const look = setInterval(() => {
      peak = Math.max(peak, process.memoryUsage.rss())
    }, 20)
    const started = performance.now()
    await perform(task)
    const seconds = (performance.now() - started) / 1000
    clearInterval(look)
    reply({ seconds, peak, threads: workers.size })
  } catch (error) {
    reply({ error: String(error) })
  }
}

async function perform(task: CryptTask): Promise<void> {
  if (task.kind === 'decrypt') {
    await decryptFile({ path: task.path, out: task.out, passwords: [task.password], overwrite: true, workers })
    return
  }
  await Promise.all(Array.from({ length: task.files }, () => encryptNoise(task.bytes, task.password)))
}

/** The result is thrown away: the disk is not what is measured. */
async function encryptNoise(bytes: number, password: string): Promise<void> {
  const block = randomFillSync(Buffer.alloc(64 * 1024))
  const source = Readable.from(
    (function* () {
      for (let made = 0; made < bytes; made += block.length) yield block
    })(),
  )
  for await (const _piece of source.pipe(createEncryptStream(password, { workers }))) {
    // taken, so that the next one comes
  }
}
