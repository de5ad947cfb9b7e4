import { type FileHandle, link, lstat, open, readdir, rename, rm } from 'node:fs/promises'
import { basename, dirname, join, resolve } from 'node:path'
import { syncFolder } from '#engine/foundation/files/atomic.ts'
import { AppError, toAppError } from '#shared/errors.ts'

/** Where a decrypted file goes: beside the source or into `folder`, without `.enc`; a name without it gets `.decrypted`. */
export function decryptedPath(source: string, folder?: string): string {
  const name = basename(source)
  const plain = /.\.enc$/i.test(name) ? name.slice(0, -'.enc'.length) : `${name}.decrypted`
  return join(resolve(folder ?? dirname(source)), plain)
}

/** File systems take 255 bytes for a name; the part's own letters need some of them. */
const MAX_NAME_BYTES = 180

/** The name under which a file grows, beside its target: `NAME.zbd-ID.part`. Nobody takes it for the file itself. */
export function decryptPartPath(output: string, id: string): string {
  return join(dirname(output), `${partPrefix(output)}${id}.part`)
}

function partPrefix(output: string): string {
  let name = basename(output)
  while (Buffer.byteLength(name) > MAX_NAME_BYTES) name = name.slice(0, -1)
  return `${name}.zbd-`
}

/**
 * Removes what killed programs left of earlier tries at the same file. The caller holds `file:OUTPUT`, so nobody
 * else is writing there now.
 * @returns the removed names
 */
export async function removeStaleDecryptParts(output: string): Promise<string[]> {
  const prefix = partPrefix(output)
  const stale = (await readdir(dirname(output))).filter((name) => name.startsWith(prefix) && name.endsWith('.part'))
  for (const name of stale) await rm(join(dirname(output), name), { force: true })
  return stale
}

/** @throws AppError `output-exists`, `is-a-folder` */
export async function assertOutputFree(output: string, overwrite: boolean): Promise<void> {
  const present = await lstat(output).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null
    throw toAppError(error)
  })
  if (!present) return
  if (present.isDirectory()) {
    throw new AppError(
      'is-a-folder',
      `There is a folder named ${basename(output)} where the decrypted file would go. It was left as it is.`,
      {
        hint: 'Choose another folder for the output.',
        details: { output },
      },
    )
  }
  if (!overwrite) throw outputExists(output)
}

function outputExists(output: string): AppError {
  return new AppError('output-exists', `${basename(output)} exists already. It was left as it is.`, {
    hint: 'Move or rename it, choose another folder, or allow overwriting.',
    details: { output },
  })
}

/** Makes the part file: only its owner may read it, and nothing that is there already is used. */
export async function createPart(part: string): Promise<FileHandle> {
  return open(part, 'wx', 0o600)
}

/** Gives a complete and synced part its name. Without `overwrite` a file that appeared meanwhile is left alone. */
export async function putInPlace(part: string, output: string, overwrite: boolean): Promise<void> {
  if (overwrite) {
    await rename(part, output)
  } else {
    await linkInPlace(part, output)
  }
  await syncFolder(dirname(output))
}

async function linkInPlace(part: string, output: string): Promise<void> {
  try {
    await link(part, output)
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') throw outputExists(output)
    if (code === 'ENOENT') throw error
    // a file system without hard links, such as exFAT or a network share
    await assertOutputFree(output, false)
    await rename(part, output)
    return
  }
  await rm(part)
}
