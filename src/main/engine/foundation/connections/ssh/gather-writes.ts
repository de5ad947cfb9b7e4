import type { Socket } from 'node:net'

/**
 * Sends what is written in one go as one: ssh2 writes each packet's length, content and checksum apart, which costs a
 * system call each; and a small packet on the wire.
 */
export function gatherWrites(socket: Socket): void {
  const write = socket.write.bind(socket) as (...written: unknown[]) => boolean
  let isGathering = false
  socket.write = (...written: unknown[]) => {
    if (!isGathering) {
      isGathering = true
      socket.cork()
      process.nextTick(() => {
        isGathering = false
        socket.uncork()
      })
    }
    return write(...written)
  }
}
