import { createGunzip } from 'node:zlib'
import { AppError, cancelledError } from '#shared/errors.ts'

/** Bytes that zlib unpacks in one go on its thread; the smaller, the more of the time goes into handing over. */
const CHUNK_BYTES = 256 * 1024
/** Of packed and of unpacked bytes that lie ready, so that reading, unpacking and using go on side by side. */
const AHEAD_BYTES = 512 * 1024

/**
 * - `empty`: there was not one byte
 * - `not-gzip`: it does not start as gzip does
 * - `cut`: it ends inside a member
 * - `crc`: a member unpacks, but not to what its CRC or length says
 * - `damaged`: a member can't be unpacked
 * - `trailing`: something that is no member follows the last one; gunzip passes zeros over in silence
 */
export type GzipFault = 'empty' | 'not-gzip' | 'cut' | 'crc' | 'damaged' | 'trailing'

const FAULTS: Record<GzipFault, string> = {
  empty: 'it has no content',
  'not-gzip': 'it is no gzip data',
  cut: 'it is cut: its compressed data has no end',
  crc: 'its content differs from its CRC',
  damaged: 'its compressed data is damaged',
  trailing: 'something follows the end of its compressed data',
}

const FAULT_OF: Record<string, GzipFault> = {
  'unexpected end of file': 'cut',
  'incorrect data check': 'crc',
  'incorrect length check': 'crc',
}

/** What is wrong with gzip data: code `gzip-damaged`. */
export class GzipProblem extends AppError {
  readonly fault: GzipFault
  /** Without a capital or full stop, about "it". */
  readonly clause: string

  /** @param file for the message */
  constructor(fault: GzipFault, file?: string) {
    const clause = FAULTS[fault]
    super('gzip-damaged', `${file ?? 'The compressed data'} is damaged: ${clause}.`, {
      hint: 'Verify the backup; choose another one, or another copy of this one.',
      details: { fault, ...(file === undefined ? {} : { file }) },
    })
    this.fault = fault
    this.clause = clause
  }
}

/**
 * Unpacks gzip data of one or many members, on zlib's own threads and in bounded memory. Ends without an error only
 * when every member ended well, CRC and length included, and nothing followed. Leaving it early ends the source.
 * @throws GzipProblem, AppError `cancelled`, and what the source throws
 */
export async function* gunzip(source: AsyncIterable<Buffer>, signal?: AbortSignal): AsyncGenerator<Buffer, void, void> {
  const options = { chunkSize: CHUNK_BYTES, highWaterMark: AHEAD_BYTES }
  const unpacker = createGunzip(options)
  let fed = 0
  let start = Buffer.alloc(0)
  let failure: unknown = null
  let isOver = false
  let wake = () => {}
  const stop = () => {
    isOver = true
    wake()
  }
  unpacker.once('end', stop)
  unpacker.once('close', stop)
  unpacker.on('drain', () => wake())

  async function feed(): Promise<void> {
    for await (const chunk of source) {
      fed += chunk.length
      if (start.length < 2) start = Buffer.concat([start, chunk.subarray(0, 2)])
      // zlib that has seen its end takes no more: one further byte is enough to know
      if (isOver && chunk.length > 0) return
      if (unpacker.write(chunk) || isOver) continue
      await new Promise<void>((resolve) => {
        wake = resolve
      })
    }
    if (!isOver) unpacker.end()
  }

  const abort = () => {
    failure ??= cancelledError()
    unpacker.destroy()
  }
  signal?.addEventListener('abort', abort, { once: true })
  if (signal?.aborted) abort()
  const feeding = feed().catch((error: unknown) => {
    failure ??= error
    unpacker.destroy()
  })
  try {
    for await (const chunk of unpacker) yield chunk
    await feeding
  } catch (error) {
    throw failure ?? new GzipProblem(faultOf(error, start))
  } finally {
    signal?.removeEventListener('abort', abort)
    unpacker.destroy()
    stop()
    await feeding
  }
  if (failure) throw failure
  if (unpacker.bytesWritten !== fed) throw new GzipProblem('trailing')
}

function faultOf(error: unknown, start: Buffer): GzipFault {
  const message = error instanceof Error ? error.message : ''
  const isGzip = start[0] === 0x1f && (start.length < 2 || start[1] === 0x8b)
  if (start.length === 0) return 'empty'
  if (!isGzip) return 'not-gzip'
  // the first header was right, so this one is where another member, or nothing, belongs
  if (message === 'incorrect header check') return 'trailing'
  return FAULT_OF[message] ?? 'damaged'
}
