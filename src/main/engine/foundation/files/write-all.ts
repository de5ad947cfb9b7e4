import type { FileHandle } from 'node:fs/promises'

/**
 * Unlike write(), goes on until all is written.
 * @param position where in the file; default: at its position
 */
export async function writeAll(file: FileHandle, bytes: Uint8Array, position: number | null = null): Promise<void> {
  for (let at = 0; at < bytes.length; ) {
    at += (await file.write(bytes, at, bytes.length - at, position === null ? null : position + at)).bytesWritten
  }
}
