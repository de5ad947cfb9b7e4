import { createGunzip } from 'node:zlib'
import { AppError } from '#shared/errors.ts'

const CHUNK_BYTES = 128 * 1024

const REASONS: Record<string, string> = {
  'unexpected end of file': 'it is cut: its compressed data has no end',
  'incorrect data check': 'its content differs from its CRC',
  'incorrect length check': 'its content differs from its recorded length',
  'incorrect header check': 'it is no gzip data',
}

/**
 * Unpacks gzip data of one or many members. Ends without an error only when every member ended well, CRC and length
 * included, and nothing followed. Back-pressure and bounded memory; leaving it ends the source.
 * @param name for messages: the file
 * @throws AppError `gzip-damaged`, and what the source throws
 */
export async function* gunzip(source: AsyncIterable<Buffer>, name: string): AsyncGenerator<Buffer, void, void> {
  const unpacker = createGunzip({ chunkSize: CHUNK_BYTES })
  let fed = 0
  let sourceError: unknown = null
  let isOver = false
  let wake = () => {}
  unpacker.once('end', () => {
    isOver = true
    wake()
  })
  unpacker.once('close', () => wake())

  async function feed(): Promise<void> {
    for await (const chunk of source) {
      fed += chunk.length
      // gunzip that has seen its end takes no more and never calls back; what follows is only counted
      if (isOver || unpacker.destroyed) continue
      await new Promise<void>((resolve) => {
        wake = resolve
        unpacker.write(chunk, () => resolve())
      })
    }
    if (!isOver) unpacker.end()
  }

  const feeding = feed().catch((error: unknown) => {
    sourceError = error
    unpacker.destroy()
  })
  try {
    for await (const chunk of unpacker) yield chunk
    await feeding
  } catch (error) {
    if (sourceError) throw sourceError
    const message = error instanceof Error ? error.message : String(error)
    throw damaged(name, REASONS[message] ?? `it can’t be unpacked (${message})`)
  } finally {
    unpacker.destroy()
    wake()
  }
  if (sourceError) throw sourceError
  if (fed === 0) throw damaged(name, 'it is empty')
  if (unpacker.bytesWritten !== fed) throw damaged(name, `${fed - unpacker.bytesWritten} bytes follow the end of its data`)
}

function damaged(name: string, what: string): AppError {
  return new AppError('gzip-damaged', `${name} is damaged: ${what}.`, {
    hint: 'Verify the backup; choose another one, or another copy of this one.',
    details: { file: name },
  })
}
