import { createServer, type Socket } from 'node:net'
import type { Duplex } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import type { Tunnel } from '../postgres.ts'
import type { SshConnections, SshTarget } from './types.ts'

/**
 * The way to a database through a server.
 * @param to as the server sees it; a host that begins with `/` is the folder of the database's Unix socket
 */
export function databaseTunnel(ssh: SshConnections, target: SshTarget, to: { host: string; port: number }): Tunnel {
  const { host, user } = target.settings
  const goal = to.host.startsWith('/') ? { socketPath: `${to.host.replace(/\/+$/, '')}/.s.PGSQL.${to.port}` } : to

  async function open(signal?: AbortSignal): Promise<Duplex> {
    const connection = await ssh.connect(target, signal ? { signal } : {})
    return connection.forward(goal, signal)
  }

  return {
    through: `through ${user === undefined ? host : `${user}@${host}`}`,
    open,
    async listen(signal) {
      const sockets = new Set<Socket>()
      const server = createServer((socket) => {
        sockets.add(socket)
        socket.once('close', () => sockets.delete(socket))
        // the program on the other end sees its connection break, and says so
        lead(socket, open).catch(() => socket.destroy())
      })
      await new Promise<void>((resolve, reject) => {
        server.once('error', reject)
        server.listen(0, '127.0.0.1', resolve)
      })
      const address = server.address()
      if (address === null || typeof address === 'string') throw new Error('no port')
      const close = async () => {
        signal?.removeEventListener('abort', abort)
        for (const socket of sockets) socket.destroy()
        await new Promise<void>((resolve) => server.close(() => resolve()))
      }
      const abort = () => void close()
      signal?.addEventListener('abort', abort, { once: true })
      return { port: address.port, close }
    },
  }
}

async function lead(socket: Socket, open: (signal: AbortSignal) => Promise<Duplex>): Promise<void> {
  const gone = new AbortController()
  socket.once('close', () => gone.abort())
  socket.on('error', () => socket.destroy())
  const stream = await open(gone.signal)
  await Promise.all([pipeline(socket, stream), pipeline(stream, socket)])
}
