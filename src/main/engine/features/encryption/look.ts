import { open, stat } from 'node:fs/promises'
import { basename, resolve } from 'node:path'
import { ENC_HEADER_BYTES, readEncHeader } from './header.ts'
import { siteOfFile } from './stored-passwords.ts'

export interface LookedAt {
  path: string
  name: string
  /** Bytes; 0 for what is no plain file. */
  size: number
  /** It starts like a Zotonic backup. */
  encrypted: boolean
  /** The known site that it belongs to, going by its name. */
  site: string | null
}

/** What a dropped file is, by its name and its first bytes. */
export async function lookAtFile(file: string, knownSites: readonly string[]): Promise<LookedAt> {
  const path = resolve(file)
  const name = basename(path)
  const facts = await stat(path).catch(() => null)
  const size = facts?.isFile() ? facts.size : 0
  return {
    path,
    name,
    size,
    encrypted: size >= ENC_HEADER_BYTES && (await startsLikeBackup(path)),
    site: siteOfFile(name, knownSites),
  }
}

/** A file that can't be read counts as none of ours; starting to decrypt it says why. */
async function startsLikeBackup(path: string): Promise<boolean> {
  const handle = await open(path, 'r').catch(() => null)
  if (!handle) return false
  try {
    const { buffer, bytesRead } = await handle.read(Buffer.alloc(ENC_HEADER_BYTES), 0, ENC_HEADER_BYTES, 0)
    readEncHeader(buffer.subarray(0, bytesRead))
    return true
  } catch {
    return false
  } finally {
    await handle.close()
  }
}
