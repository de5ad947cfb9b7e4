import { connect, createServer, type Socket } from 'node:net'

/** What a network does with the bytes of open connections. */
export type Weather =
  /** They get through. */
  | 'fine'
  /** Nothing gets through, and nobody is told. */
  | 'swallowed'
  /** What the server answers does not get through. */
  | 'answers-swallowed'

/** A way to a server that can be cut. */
export interface TcpProxy {
  port: number
  /** Of connections that are open now; those made later are fine. */
  setWeather(weather: Weather): void
  /** Breaks off all connections. */
  cut(): void
  /** Takes no further connections. */
  refuse(): void
  close(): Promise<void>
}

export async function startTcpProxy(port: number): Promise<TcpProxy> {
  const pairs = new Set<{ client: Socket; server: Socket; weather: Weather }>()
  let isRefusing = false
  const listener = createServer((client) => {
    if (isRefusing) {
      client.destroy()
      return
    }
    const pair = { client, server: connect(port, '127.0.0.1'), weather: 'fine' as Weather }
    pairs.add(pair)
    client.on('data', (bytes) => {
      if (pair.weather !== 'swallowed') pair.server.write(bytes)
    })
    pair.server.on('data', (bytes) => {
      if (pair.weather === 'fine') client.write(bytes)
    })
    const end = (other: Socket) => () => {
      if (pair.weather !== 'fine') return
      other.destroy()
      pairs.delete(pair)
    }
    client.on('close', end(pair.server))
    pair.server.on('close', end(client))
    for (const socket of [client, pair.server]) socket.on('error', () => {})
  })
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  const address = listener.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  const cut = () => {
    for (const { client, server } of pairs) {
      client.destroy()
      server.destroy()
    }
    pairs.clear()
  }
  return {
    port: address.port,
    setWeather(weather) {
      for (const pair of pairs) {
        pair.weather = weather
        // a network takes only so much into its buffers
        if (weather === 'swallowed') pair.client.pause()
      }
    },
    cut,
    refuse() {
      isRefusing = true
    },
    async close() {
      cut()
      await new Promise<void>((resolve) => listener.close(() => resolve()))
    },
  }
}
