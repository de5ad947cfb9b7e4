import type { ArchiveLimits } from '../files/checked-entries.ts'

/** Far above any site's media. */
export const MEDIA_LIMITS: ArchiveLimits = { entries: 2_000_000, fileBytes: 2 ** 40, bytes: 2 ** 44 }
