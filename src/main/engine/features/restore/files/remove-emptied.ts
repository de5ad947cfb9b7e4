import { localDisk, type SiteDisk } from './site-disk.ts'

/** Removes folders that were made, the last one first; one that holds something by now stays. */
export async function removeEmptied(made: readonly string[], disk: SiteDisk = localDisk): Promise<void> {
  for (const folder of [...made].reverse()) await disk.removeFolder(folder)
}
