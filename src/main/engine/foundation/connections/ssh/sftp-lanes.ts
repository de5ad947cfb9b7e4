import type { SftpSession } from './sftp-session.ts'

/** A channel takes so much before it must be answered: OpenSSH's window, and ours. */
const LANE_BYTES = 2 * 1024 * 1024
const LANES = 4
/** A server that takes longer to answer is far away: one window an answer is then all that a single channel carries. */
const FAR_MS = 15
/** What the first lane carries alone: most files are smaller. */
export const ALONE_BYTES = 2 * 1024 * 1024

/** What may be under way at once. */
export const IN_FLIGHT_BYTES = LANES * LANE_BYTES

/** A file that is open in an SFTP channel. */
export interface Lane {
  readonly session: SftpSession
  readonly handle: Buffer
  inFlight: number
}

/** The same file, open in several channels of one connection. */
export interface Lanes {
  readonly first: Lane
  /** Opens the others, when the server is far away; they join in as they come. */
  widen(): void
  /** The lane with the most room; null: all are full. */
  roomiest(): Lane | null
  /** What may be under way at once by now. */
  readonly capacity: number
  close(): Promise<void>
}

/** Gives the SFTP channels of a connection, by number; opened when first asked for. */
export type SessionOf = (lane: number) => Promise<SftpSession>

/** @param open opens the file in a channel; after the first one it must turn out to be the same file, else it rejects */
export async function openLanes(
  sessionOf: SessionOf,
  path: string,
  open: (session: SftpSession, isFirst: boolean) => Promise<Buffer>,
): Promise<Lanes> {
  const session = await sessionOf(0)
  const began = performance.now()
  const first: Lane = { session, handle: await open(session, true), inFlight: 0 }
  const isFar = performance.now() - began > FAR_MS
  const lanes = [first]
  let isClosed = false
  let isWide = !isFar
  const joining: Promise<void>[] = []

  async function close(lane: Pick<Lane, 'session' | 'handle'>): Promise<void> {
    // answered after the requests before it; a connection that is lost has closed it
    await lane.session.ask(path, (done) => lane.session.sftp.close(lane.handle, done)).catch(() => {})
  }

  async function join(at: number): Promise<void> {
    const more = await sessionOf(at)
    const handle = await open(more, false)
    if (isClosed) await close({ session: more, handle })
    else lanes.push({ session: more, handle, inFlight: 0 })
  }

  return {
    first,
    widen() {
      if (isWide) return
      isWide = true
      // a server that allows fewer channels is served by those that there are
      for (let at = 1; at < LANES; at += 1) joining.push(join(at).catch(() => {}))
    },
    roomiest() {
      const [best] = [...lanes].sort((a, b) => a.inFlight - b.inFlight)
      return best && best.inFlight < LANE_BYTES ? best : null
    },
    get capacity() {
      return lanes.length * LANE_BYTES
    },
    async close() {
      if (isClosed) return
      isClosed = true
      await Promise.all([...lanes.map(close), ...joining])
    },
  }
}
