import type { Socket } from 'node:net'
import type { Duplex } from 'node:stream'

/** A stream that leads to a database already, with what the client asks of a socket that it connects by itself. */
export function connectedSocket(stream: Duplex): Socket {
  return Object.assign(stream, {
    connect() {
      process.nextTick(() => stream.emit('connect'))
      return stream
    },
    setNoDelay: () => stream,
    setKeepAlive: () => stream,
    ref: () => stream,
    unref: () => stream,
  }) as unknown as Socket
}
