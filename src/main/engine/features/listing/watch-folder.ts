import { type FSWatcher, watch } from 'node:fs'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { statPlainFile } from '#engine/foundation/repository/folder-read.ts'
import { INDEX_FILE, isOurs } from '#engine/foundation/repository/names.ts'

export interface Watching {
  close(): void
}

/**
 * Tells when the backups in a folder may have changed: its index was written, or a file came or went. Some file systems
 * tell nothing, of what another computer writes for instance, and a folder may not be there yet: so the index is looked
 * at now and then as well.
 * @param pollEvery milliseconds; null: never
 */
export function watchFolder(folder: string, pollEvery: number | null, onChange: () => void): Watching {
  let isClosed = false
  let watcher: FSWatcher | null = null
  let watched: number | null = null
  let version: string | null = null

  const identityOf = async () =>
    stat(folder).then(
      ({ ino }) => ino,
      () => null,
    )
  const versionOf = async () =>
    statPlainFile(join(folder, INDEX_FILE), INDEX_FILE).then(
      (facts) => facts?.version ?? '',
      () => '',
    )

  function stopListening(): void {
    watcher?.close()
    watcher = null
    watched = null
  }

  async function listen(): Promise<void> {
    const present = await identityOf()
    if (isClosed || (watcher && present === watched)) return
    // one that was removed and made again is another folder
    stopListening()
    if (present === null) return
    try {
      watcher = watch(folder, { persistent: false }, (kind, file) => {
        if (file === null || file === INDEX_FILE || (kind === 'rename' && !isOurs(file))) onChange()
      })
      watcher.on('error', stopListening)
      watched = present
    } catch {
      // as when there are too many: the polling is left
    }
  }

  async function look(): Promise<void> {
    await listen()
    const found = await versionOf()
    const isOther = version !== null && found !== version
    version = found
    if (isOther && !isClosed) onChange()
  }

  void look()
  const timer = pollEvery === null ? null : setInterval(look, pollEvery)
  timer?.unref()
  return {
    close() {
      isClosed = true
      if (timer) clearInterval(timer)
      stopListening()
    },
  }
}
