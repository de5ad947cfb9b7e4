import { constants } from 'node:fs'
import { type FileHandle, open } from 'node:fs/promises'
import type { TarEntry } from '#engine/foundation/content/read-tar.ts'

/** How a file's content compares with the archive's: up to where they are equal, and what of the archive follows. */
export interface Comparison {
  isSame: boolean
  equalBytes: number
  /** The chunk that differs; the rest of the entry's content is still to be read. */
  next: Buffer | null
}

/** Reads an entry's content beside the file that stands in its place, as far as they are equal. */
export async function compareContent(path: string, entry: TarEntry, onBytes: (bytes: number) => void): Promise<Comparison> {
  const file = await openWithoutLinks(path)
  try {
    if ((await file.stat()).size !== entry.size) return { isSame: false, equalBytes: 0, next: null }
    let buffer = Buffer.alloc(0)
    let at = 0
    for (let next = await entry.content.next(); !next.done; next = await entry.content.next()) {
      const chunk = next.value
      if (buffer.length < chunk.length) buffer = Buffer.allocUnsafe(chunk.length)
      if (!(await readsAs(file, buffer, chunk, at))) return { isSame: false, equalBytes: at, next: chunk }
      at += chunk.length
      onBytes(chunk.length)
    }
    return { isSame: true, equalBytes: at, next: null }
  } finally {
    await file.close()
  }
}

/** Whether a file has exactly this content. */
export async function hasContent(path: string, content: Buffer): Promise<boolean> {
  const file = await openWithoutLinks(path)
  try {
    if ((await file.stat()).size !== content.length) return false
    return await readsAs(file, Buffer.allocUnsafe(content.length), content, 0)
  } finally {
    await file.close()
  }
}

function openWithoutLinks(path: string): Promise<FileHandle> {
  return open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0))
}

async function readsAs(file: FileHandle, buffer: Buffer, chunk: Buffer, position: number): Promise<boolean> {
  let read = 0
  while (read < chunk.length) {
    const { bytesRead } = await file.read(buffer, read, chunk.length - read, position + read)
    if (bytesRead === 0) return false
    read += bytesRead
  }
  return chunk.equals(buffer.subarray(0, chunk.length))
}
