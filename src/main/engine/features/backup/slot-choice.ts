import type { RotationIndexes } from '#engine/foundation/repository/open.ts'
import { rotationScheme } from '#engine/foundation/repository/scheme.ts'
import { AppError } from '#shared/errors.ts'
import { isoSeconds } from '#shared/format.ts'
import type { RepositoryName } from '#shared/model/backup.ts'
import type { Site } from '#shared/model/site.ts'
import { slotFor } from '#shared/rotation.ts'

/**
 * The name of a backup that starts now: SITE-SLOT by the site's rotation and the UTC date.
 * Source: docs/formats.md, "Backup directory".
 *
 * @throws AppError `scheme-conflict` (the site's rotation contradicts the server's index), `slot-newer`
 */
export function chooseName(site: Site, start: Date, to: RepositoryName, indexes: RotationIndexes): string {
  const name = `${site.name}-${slotFor(rotationScheme(site, indexes, to), start)}`
  const present = indexes.target.get(name)
  const timestamp = unixSeconds(start)
  if (!present || present.timestamp < timestamp) return name
  throw new AppError(
    'slot-newer',
    `The slot ${name} holds a backup of ${isoSeconds(new Date(present.timestamp * 1000))}, which is not older than this one. Nothing was written.`,
    {
      hint: 'Is the clock of this computer, or of the one that made that backup, wrong?',
      details: { name, present: present.timestamp, timestamp },
    },
  )
}

export function unixSeconds(date: Date): number {
  return Math.floor(date.getTime() / 1000)
}
