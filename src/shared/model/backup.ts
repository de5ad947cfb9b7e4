import { z } from 'zod'
import { drillReportSchema } from './drill.ts'

/** The repositories of a site, in the order in which they are shown. */
export const repositoryNameSchema = z.enum(['vault', 'server', 'filestore'])
const placeSchema = z.enum([...repositoryNameSchema.options, 'folder'])
export const partKindSchema = z.enum(['database', 'config', 'files'])

/** Result of one verification level. */
export const levelResultSchema = z.object({
  outcome: z.enum(['passed', 'failed', 'unknown']),
  /** Why it failed or is not known ("no password", "no hash recorded"); a short finding when it passed. */
  reason: z.string(),
})

export const partProofSchema = z.object({
  part: partKindSchema,
  file: z.string(),
  /** L0 present, L1 hash, L2 readable to the end; null: not tried. */
  levels: z.object({
    L0: levelResultSchema.nullable(),
    L1: levelResultSchema.nullable(),
    L2: levelResultSchema.nullable(),
  }),
})

/** What is known about one backup in one repository after verifying it. */
export const proofSchema = z.object({
  /** Highest level that every part passed; -1: not even present. */
  level: z.int().min(-1).max(3),
  verdict: z.enum(['verified', 'failed', 'unknown']),
  verifiedAt: z.iso.datetime(),
  parts: z.array(partProofSchema),
  /** L3; null: not drilled since these files were stored. */
  drill: drillReportSchema.nullable().default(null),
})

export const backupPartSchema = z.object({
  part: partKindSchema,
  file: z.string(),
  /** Bytes as stored; null: the index names it but the file is missing. */
  size: z.number().nullable(),
  /** Lower-case hex SHA-256 that the index has; null: none recorded. */
  hash: z.string().nullable(),
  isEncrypted: z.boolean(),
  /**
   * Where the index and the file disagree: the file is `missing`, `empty`, or `newer` than the index (written after it: a
   * backup is on its way there, or its index entry never came). No fault is `not-uploaded`: a filestore's index names a media
   * archive that is not there, since servers upload none: see docs/formats.md, "Trouble".
   */
  trouble: z.enum(['missing', 'empty', 'newer', 'not-uploaded']).nullable().default(null),
})

export const backupKindSchema = z.enum(['daily', 'weekly', 'safety', 'pinned', 'other'])

/** One backup of one repository. The first seven are the server's own field names. */
export const backupEntrySchema = z.object({
  name: z.string(),
  /** ISO UTC to the second: 2026-11-23T01:55:32Z. */
  timestamp: z.string(),
  is_encrypted: z.boolean(),
  is_database_present: z.boolean(),
  is_files_present: z.boolean(),
  is_config_files_present: z.boolean(),
  is_filestore_uploaded: z.boolean(),
  repository: placeSchema,
  /** `1`..`7`, `w0`..`w4`, or null for a name outside the rotation. */
  slot: z.string().nullable(),
  kind: backupKindSchema,
  /** Why it is kept. `text` for people: "Tuesday", "week 3", "pinned". */
  kept: z.object({
    reason: z.enum(['day', 'week', 'pinned', 'safety', 'outside']),
    text: z.string(),
    /** UTC date of the night that replaces it when all nights run, 2026-11-29; null: none does. */
    replacedOn: z.string().nullable(),
  }),
  parts: z.array(backupPartSchema),
  proof: proofSchema.nullable(),
})

/** A file beside the index that the index does not name. */
export const unknownFileSchema = z.object({
  repository: placeSchema,
  file: z.string(),
  size: z.number(),
  /** `stale`: of a slot that the index has in another form; `foreign`: anything else. */
  kind: z.enum(['stale', 'foreign']),
})

export const backupListSchema = z.object({
  backups: z.array(backupEntrySchema),
  unknown: z.array(unknownFileSchema),
  /** Repositories that could not be listed, with the reason. */
  problems: z.array(z.object({ repository: z.string(), code: z.string(), message: z.string(), hint: z.string() })),
  /** The rotation scheme that the next backup will use. */
  scheme: z.enum(['manual', 'server']),
})

export type RepositoryName = z.infer<typeof repositoryNameSchema>
export type PartKind = z.infer<typeof partKindSchema>
export type LevelResult = z.infer<typeof levelResultSchema>
export type PartProof = z.infer<typeof partProofSchema>
export type Proof = z.infer<typeof proofSchema>
export type BackupPart = z.infer<typeof backupPartSchema>
export type BackupKind = z.infer<typeof backupKindSchema>
export type BackupEntry = z.infer<typeof backupEntrySchema>
export type UnknownFile = z.infer<typeof unknownFileSchema>
export type BackupList = z.infer<typeof backupListSchema>

/** Bytes as stored; a missing part has none. */
export function storedBytes({ parts }: { parts: readonly { size: number | null }[] }): number {
  return parts.reduce((sum, { size }) => sum + (size ?? 0), 0)
}

/** Where something is, for people: "in the vault". */
export function inPlace(repository: BackupEntry['repository']): string {
  return repository === 'server' ? 'on the server' : `in the ${repository}`
}

/** "in the vault, on the server and in the filestore" */
export function inPlaces(repositories: Iterable<BackupEntry['repository']>, joint: 'and' | 'or' = 'and'): string {
  const named = new Set(repositories)
  const places = placeSchema.options.filter((place) => named.has(place)).map(inPlace)
  const last = places.pop() ?? ''
  return places.length > 0 ? `${places.join(', ')} ${joint} ${last}` : last
}

/** Why a backup there may have no media archive. */
export const MEDIA_IN_FILESTORE = 'A filestore holds the media themselves, beside the backups.'

/** Whether a part can't be had, or may not be what the index means. */
export function isInTrouble({ trouble }: Pick<BackupPart, 'trouble'>): boolean {
  return trouble !== null && trouble !== 'not-uploaded'
}

/** In what way a file is not what its index says, for people: one sentence; empty: nothing is known to be wrong. */
export function describeTrouble({ file, trouble }: Pick<BackupPart, 'file' | 'trouble'>): string {
  if (trouble === 'missing') return `${file} is named by the index, but there is no such file.`
  if (trouble === 'not-uploaded') return `${file} is not there: servers upload no media archive. ${MEDIA_IN_FILESTORE}`
  if (trouble === 'empty') return `${file} is empty.`
  if (trouble === 'newer') {
    return `${file} was written after the index: a backup is on its way there, or its index entry never came. Verifying tells.`
  }
  return ''
}

/** Whether two timestamps are of one backup: they count to the second. */
export function isSameMoment(a: string, b: string): boolean {
  return Math.floor(Date.parse(a) / 1000) === Math.floor(Date.parse(b) / 1000)
}
