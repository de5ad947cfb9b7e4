import type { SshConnection } from '#engine/foundation/connections/ssh/types.ts'

const LOOK_MS = 1_000

/** How far the unpacking program is in its file; Linux tells. */
const POSITION = 'p=$(cat -- "$1.pid") && sed -n "s/^pos:[[:space:]]*//p" "/proc/$p/fdinfo/0"'

/** Looks every second how much of a dump was read. Where that can't be seen, nothing is told. */
export function watchReading(server: SshConnection, dump: string, onBytes: (bytes: number) => void): { stop(): Promise<void> } {
  let seen = 0
  let looking: Promise<void> | null = null
  const look = async () => {
    const { code, stdout } = await server.run(['sh', '-c', POSITION, 'sh', dump])
    const at = Number(stdout.trim())
    if (code !== 0 || !(at > seen)) return
    onBytes(at - seen)
    seen = at
  }
  const timer = setInterval(() => {
    // what is wrong with the line shows elsewhere
    looking ??= look()
      .catch(() => {})
      .finally(() => {
        looking = null
      })
  }, LOOK_MS)
  timer.unref()
  return {
    async stop() {
      clearInterval(timer)
      await looking
    },
  }
}
