import { parentPort } from 'node:worker_threads'
import { serveTasks, transferring } from '#engine/foundation/worker-tasks.ts'
import { AppError } from '#shared/errors.ts'

/** Tasks that try the pool itself. */
if (parentPort) {
  serveTasks(parentPort, {
    echo: (payload: unknown) => payload,
    addOne: ({ buffer }: { buffer: ArrayBuffer }) => {
      const bytes = new Uint8Array(buffer)
      bytes.forEach((byte, at) => {
        bytes[at] = byte + 1
      })
      return transferring(bytes, [buffer])
    },
    refuse: () => {
      throw new AppError('test-refusal', 'Refused.', { hint: 'Try something else.', details: { at: 7 } })
    },
    fail: () => {
      throw new TypeError('a mistake')
    },
    block: () => {
      for (;;) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, 1000)
    },
    sleep: (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds, milliseconds)),
    crash: () =>
      new Promise(() =>
        setImmediate(() => {
          throw new Error('out of cheese')
        }),
      ),
    leave: () => process.exit(3),
  })
}
