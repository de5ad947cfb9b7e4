import { Duplex, Readable, Writable } from 'node:stream'
import type { ClientChannel } from 'ssh2'
import type { AppError } from '#shared/errors.ts'
import type { Link } from './link.ts'

/** Bytes that wait for their reader. */
const BUFFER = 256 * 1024

/**
 * What comes out of a channel. ssh2 ends the streams of a lost connection as if all had been read; here they end only when
 * `ended` resolves, and fail when it rejects.
 */
export function readableOf(source: Readable, ended: Promise<unknown>): Readable {
  const readable = new Readable({
    highWaterMark: BUFFER,
    read: () => void source.resume(),
  })
  source.on('data', (chunk: Buffer) => {
    // what comes when nobody reads any more is let go, so that its end is seen
    if (!readable.destroyed && !readable.push(chunk)) source.pause()
  })
  source.once('end', () => {
    ended.then(
      () => readable.push(null),
      (error) => readable.destroy(error),
    )
  })
  ended.catch((error) => readable.destroy(error))
  // who reads it is told; that nobody reads it is no failure
  readable.on('error', () => {})
  source.pause()
  return readable
}

/** What goes into a channel. ssh2 forgets who waits to write when the channel is gone; here they are told. */
export function writableOf(channel: ClientChannel, ended: Promise<unknown>): Writable {
  const writable = new Writable({
    highWaterMark: BUFFER,
    write: (chunk, _encoding, done) => void channel.write(chunk, () => done()),
    final(done) {
      channel.end()
      done()
    },
  })
  writable.on('error', () => {})
  ended.then(
    // what was not taken by a command that ended is not missed by it
    () => writable.destroy(),
    (error) => writable.destroy(error),
  )
  return writable
}

/** A channel to a port or socket, as a stream of its own. A lost connection destroys it with its error. */
export function duplexOf(channel: ClientChannel, link: Link): Duplex {
  const duplex = new Duplex({
    readableHighWaterMark: BUFFER,
    writableHighWaterMark: BUFFER,
    read: () => void channel.resume(),
    write: (chunk, _encoding, done) => void channel.write(chunk, () => done()),
    final(done) {
      channel.end()
      done()
    },
    destroy(error, done) {
      stop()
      channel.destroy()
      // ssh2 goes on only when what it has is read
      channel.resume()
      // TLS on top of it first tells why it let go
      setImmediate(done, error)
    },
  })
  const stop = link.onLost((error: AppError) => duplex.destroy(error))
  channel.on('data', (chunk: Buffer) => {
    if (!duplex.push(chunk)) channel.pause()
  })
  channel.once('end', () => duplex.push(null))
  channel.once('close', () => {
    if (!duplex.readableEnded) duplex.push(null)
    // the other side takes nothing more
    if (!duplex.writableFinished) duplex.destroy()
  })
  channel.on('error', (error: Error) => duplex.destroy(error))
  return duplex
}
