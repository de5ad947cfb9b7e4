import type { TarEntry } from '#engine/foundation/content/read-tar.ts'
import { RemoteWriter } from '../remote-files/remote-writer.ts'
import type { Likeness, WriterRequest } from './put-in-place.ts'
import { SafeWriter, type WriteCounts } from './safe-writer.ts'

/** Writes files below a folder of a site in a way that can be taken back, see {@link SafeWriter}. */
export interface FileWriter {
  folder(parts: string[], like: Likeness): Promise<void>
  file(parts: string[], entry: TarEntry, like: Likeness, folderLike: Likeness): Promise<void>
  finish(): Promise<WriteCounts>
  close(): Promise<void>
}

/** Opens the writer for the disk that the site's folders are on. */
export function openFileWriter(request: WriterRequest): Promise<FileWriter> {
  return request.disk?.server ? RemoteWriter.open(request, request.disk, request.disk.server) : SafeWriter.open(request)
}
