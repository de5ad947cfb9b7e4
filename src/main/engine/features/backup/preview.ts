import type { EngineContext } from '#engine/foundation/context.ts'
import { noRateLimit } from '#engine/foundation/rate-limit.ts'
import { dumpSettingsSchema, type Site } from '#shared/model/site.ts'
import { encryptionPassword, plainBytes } from './create.ts'
import { estimatedBackupBytes, freeBytes, isEnough } from './free-space.ts'
import { openPartSources } from './part-sources.ts'

export interface BackupPreview {
  /** About what it will take in the vault. */
  bytes: number
  freeBytes: number
  isEnough: boolean
}

/**
 * Whether a backup of a site's database and configuration into its vault can be made now, without making it.
 * @throws AppError what would stop it: `encryption-no-password`, those of the dump and of the connection
 */
export async function previewBackup(context: EngineContext, site: Site, signal: AbortSignal): Promise<BackupPreview> {
  await encryptionPassword(context, site)
  const nothing = () => {}
  const { sources } = await openPartSources(context, site, {
    databaseOnly: true,
    ...dumpSettingsSchema.parse(site.dump ?? {}),
    scratch: context.home.scratch,
    limit: noRateLimit,
    signal,
    onProgress: nothing,
    onProblem: nothing,
    onNote: nothing,
  })
  for (const { stream } of sources) stream.on('error', nothing).destroy()
  const bytes = estimatedBackupBytes(plainBytes(sources))
  const free = await freeBytes(context.sites.vaultPath(site))
  return { bytes, freeBytes: free, isEnough: isEnough(bytes, free) }
}
