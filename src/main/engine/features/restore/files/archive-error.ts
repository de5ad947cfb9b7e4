import { AppError } from '#shared/errors.ts'

/** Which archive is read: the start of the error codes. */
export type ArchiveKind = 'media' | 'config'

const WORDS: Record<ArchiveKind, string> = { media: 'media', config: 'configuration' }

/** "The media archive …": something in an archive that no server and no version of this program writes. */
export function archiveError(kind: ArchiveKind, code: string, what: string, details: Record<string, unknown> = {}): AppError {
  return new AppError(`${kind}-${code}`, `The ${WORDS[kind]} archive ${what}`, {
    hint: 'A backup by Zotonic or Backup Desk has no such thing. Choose another backup.',
    details,
  })
}

/** Something in the site's folders that stands where the archive has something else. */
export function placeError(kind: ArchiveKind, path: string, what: string): AppError {
  return new AppError(`${kind}-place`, `${path} ${what}`, {
    hint: `Move it away, or choose to restore without the ${WORDS[kind]}.`,
    details: { path },
  })
}
