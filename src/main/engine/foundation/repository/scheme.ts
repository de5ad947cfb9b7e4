import { AppError } from '#shared/errors.ts'
import type { RepositoryName } from '#shared/model/backup.ts'
import type { RotationChoice } from '#shared/model/site.ts'
import { type RotationScheme, schemeOf, slotOf } from '#shared/rotation.ts'
import type { BackupIndex } from './types.ts'

/** The scheme that made an index; null when there is none or it does not tell. */
export function schemeOfIndex(site: string, index: BackupIndex | null): RotationScheme | null {
  if (!index) return null
  return schemeOf([...index].map(([name, entry]) => ({ slot: slotOf(site, name), timestamp: new Date(entry.timestamp * 1000) })))
}

/**
 * The scheme that the next backup will use. `auto`: that of the server's index, else of the own index, else `manual`.
 * Source: docs/formats.md, "Backup directory".
 * @param indexes null: that repository is absent or can't be read
 * @param to where the backup goes
 * @throws AppError `scheme-conflict` when the chosen scheme contradicts the index of the server that it is for
 */
export function rotationScheme(
  site: { name: string; rotation: RotationChoice },
  indexes: { server: BackupIndex | null; own: BackupIndex | null },
  to: RepositoryName = 'vault',
): RotationScheme {
  const server = schemeOfIndex(site.name, indexes.server)
  if (site.rotation === 'auto') return server ?? schemeOfIndex(site.name, indexes.own) ?? 'manual'
  if (to === 'vault' || server === null || server === site.rotation) return site.rotation
  throw new AppError(
    'scheme-conflict',
    `The server’s backups of ${site.name} rotate by the scheme "${server}", the site’s settings say "${site.rotation}": they would overwrite each other’s backups. Nothing was written.`,
    {
      hint: 'Set the rotation of the site to "auto".',
      details: { site: site.name, server, settings: site.rotation },
    },
  )
}
