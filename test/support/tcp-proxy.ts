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
  /** Bytes that went through so far: `up` to the server, `down` to the client. */
  readonly moved: { up: number; down: number }
  /** Breaks off all connections as soon as so many more bytes went through, both ways together; resolves when it did. */
  cutAfter(bytes: number): Promise<void>
  /** Tears connections down with a reset instead of closing them. */
  setReset(isReset: boolean): void
  /** Of connections that are open now; those made later are fine. */
  setWeather(weather: Weather): void
  /** Breaks off all connections. */
  cut(): void
  /** Takes no further connections. */
  refuse(): void
  /** Takes connections again. */
  accept(): void
  close(): Promise<void>
}

export interface ProxyOptions {
  /** Milliseconds that all bytes take each way. */
  delayMs?: number
  /** Bytes a second each way. */
  bytesPerSecond?: number
}

export async function startTcpProxy(port: number, { delayMs = 0, bytesPerSecond }: ProxyOptions = {}): Promise<TcpProxy> {
  const pairs = new Set<{ client: Socket; server: Socket; weather: Weather }>()
  let isRefusing = false
  let isReset = false
  const moved = { up: 0, down: 0 }
  let cutting: { at: number; done: () => void } | null = null

  /** Carries bytes on, as late and as slowly as asked for; a full receiver holds the sender back. */
  const carry = (from: Socket, to: Socket, way: 'up' | 'down', isOpen: () => boolean) => {
    let free = 0
    let isHeldBack = false
    const pass = (bytes: Buffer) => {
      if (!isOpen() || to.destroyed) return
      moved[way] += bytes.length
      if (!to.write(bytes) && !isHeldBack) {
        isHeldBack = true
        from.pause()
        to.once('drain', () => {
          isHeldBack = false
          from.resume()
        })
      }
      if (cutting && moved.up + moved.down >= cutting.at) {
        const { done } = cutting
        cutting = null
        cut()
        done()
      }
    }
    const underWay: { due: number; bytes: Buffer }[] = []
    let isWaiting = false
    const wait = (milliseconds: number) => {
      if (!isWaiting) setTimeout(passDue, Math.max(1, milliseconds))
      isWaiting = true
    }
    const passDue = () => {
      isWaiting = false
      for (let next = underWay[0]; next && next.due <= performance.now(); next = underWay[0]) {
        underWay.shift()
        pass(next.bytes)
      }
      const [next] = underWay
      if (next) wait(next.due - performance.now())
    }
    from.on('data', (bytes: Buffer) => {
      if (delayMs === 0 && bytesPerSecond === undefined) return pass(bytes)
      const now = performance.now()
      free = Math.max(free, now) + (bytesPerSecond === undefined ? 0 : (bytes.length / bytesPerSecond) * 1000)
      underWay.push({ due: free + delayMs, bytes })
      wait(free + delayMs - now)
      if (free - now < 200) return
      from.pause()
      setTimeout(() => from.resume(), free - now - 100)
    })
  }
  const listener = createServer((client) => {
    if (isRefusing) {
      client.destroy()
      return
    }
    const pair = { client, server: connect(port, '127.0.0.1'), weather: 'fine' as Weather }
    pairs.add(pair)
    for (const socket of [client, pair.server]) socket.setNoDelay()
    carry(client, pair.server, 'up', () => pair.weather !== 'swallowed')
    carry(pair.server, client, 'down', () => pair.weather === 'fine')
    const end = (other: Socket) => () => {
      if (pair.weather !== 'fine') return
      // what is on its way still arrives
      if (delayMs > 0) setTimeout(() => other.end(), delayMs + 5)
      else other.destroy()
      pairs.delete(pair)
    }
    client.on('close', end(pair.server))
    pair.server.on('close', end(client))
    for (const socket of [client, pair.server]) socket.on('error', () => {})
  })
  await new Promise<void>((resolve) => listener.listen(0, '127.0.0.1', resolve))
  const address = listener.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  function cut(): void {
    for (const { client, server } of pairs) {
      if (isReset) client.resetAndDestroy()
      else client.destroy()
      server.destroy()
    }
    pairs.clear()
  }
  return {
    port: address.port,
    moved,
    cutAfter(bytes) {
      return new Promise((done) => {
        cutting = { at: moved.up + moved.down + bytes, done }
      })
    },
    setReset(value) {
      isReset = value
    },
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
    accept() {
      isRefusing = false
    },
    async close() {
      cut()
      await new Promise<void>((resolve) => listener.close(() => resolve()))
    },
  }
}
