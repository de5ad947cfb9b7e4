import { rmdir } from 'node:fs/promises'

/** Removes folders that were made, the last one first; one that holds something by now stays. */
export async function removeEmptied(made: readonly string[]): Promise<void> {
  for (const folder of [...made].reverse()) {
    await rmdir(folder).catch((error: NodeJS.ErrnoException) => {
      if (!['ENOENT', 'ENOTEMPTY', 'EEXIST'].includes(error.code ?? '')) throw error
    })
  }
}
