import type { FileHandle } from 'node:fs/promises'

/** Writes at the file's position and, unlike write(), goes on until all is written. */
export async function writeAll(file: FileHandle, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length; ) at += (await file.write(bytes, at, bytes.length - at)).bytesWritten
}
