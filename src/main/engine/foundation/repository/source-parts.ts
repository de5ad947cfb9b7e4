import { AppError } from '#shared/errors.ts'
import type { PartKind } from '#shared/model/backup.ts'
import { isNamed, PART_FIELDS, PART_KINDS, unsafeFiles } from './backup-index.ts'
import { showName } from './names.ts'
import type { FileStat, IndexEntry } from './types.ts'

/** A part of a backup as it lies in a repository: the file, and what the index says of it. */
export interface SourcePart {
  kind: PartKind
  facts: FileStat
  /** Lower-case hex SHA-256; null: none recorded. */
  hash: string | null
}

/** The parts of a backup whose entry can be trusted to name them. */
export interface SourceBackup {
  parts: SourcePart[]
  isEncrypted: boolean
  /** A media archive that the index names and a filestore does not have: servers don't upload it. */
  lacksMedia: boolean
}

/**
 * The parts of a backup, all of which must be there. A filestore may lack the media archive, which servers name in its
 * index but don't upload: media live in the filestore themselves. Source: docs/formats.md, "Backup directory".
 * @param factsOf what a file looks like now; null: there is none
 * @throws AppError `backup-incomplete`
 */
export async function readSourceBackup(
  name: string,
  entry: IndexEntry,
  { isFilestore, factsOf }: { isFilestore: boolean; factsOf: (file: string) => Promise<FileStat | null> | FileStat | null },
): Promise<SourceBackup> {
  if (unsafeFiles(name, entry).length > 0) throw incomplete(name, 'its entry in the index names files of something else')
  const parts: SourcePart[] = []
  let lacksMedia = false
  for (const kind of PART_KINDS) {
    const { file: fileField, hash: hashField } = PART_FIELDS[kind]
    const file: unknown = entry[fileField]
    if (!isNamed(file)) continue
    const facts = await factsOf(String(file))
    if (facts === null && kind === 'files' && isFilestore) {
      lacksMedia = true
      continue
    }
    if (!facts || facts.size === 0) throw incomplete(name, `${showName(file)} is ${facts ? 'empty' : 'missing'}`)
    const hash: unknown = entry[hashField]
    parts.push({ kind, facts, hash: typeof hash === 'string' && hash !== '' ? hash.toLowerCase() : null })
  }
  if (parts.length === 0) throw incomplete(name, 'it has no parts')
  const encrypted = parts.filter(({ facts }) => facts.name.endsWith('.enc')).length
  if (encrypted > 0 && encrypted < parts.length) throw incomplete(name, 'some of its parts are encrypted and some are not')
  return { parts, isEncrypted: encrypted > 0, lacksMedia }
}

function incomplete(name: string, why: string): AppError {
  return new AppError('backup-incomplete', `${showName(name)} can’t be copied: ${why}. Nothing was changed.`, {
    hint: 'Verify it, or take its copy in another place.',
    details: { name, why },
  })
}
