import { z } from 'zod'
import { partFiles } from './backup-index.ts'
import { readIndexFile, updateIndexFile } from './index-file.ts'
import { belongsTo, intentName, isPlainName, partName } from './names.ts'
import { hasCode, type RepositoryFiles } from './repository-files.ts'
import type { BackupIndex, IndexEntry } from './types.ts'

const MAX_INTENT_BYTES = 256 * 1024

const entrySchema = z.looseObject({ timestamp: z.int().min(0) })

const intentSchema = z.strictObject({
  version: z.literal(1),
  id: z.string().max(64),
  owner: z.enum(['home', 'server']),
  name: z.string().max(200),
  /** What the index shall say; null: the entry goes, and with it the files that only it named. */
  entry: entrySchema.nullable(),
  /** What the index said before; null: the slot was empty. */
  oldEntry: entrySchema.nullable(),
  parts: z
    .array(z.strictObject({ finalName: z.string(), sha256: z.string().regex(/^[0-9a-f]{64}$/), size: z.int().min(1) }))
    .max(3),
})

/**
 * What is about to happen to a slot, written down and synced before the first rename, so that the next start can
 * finish it or take it back. Source: docs/formats.md, "Backup directory".
 */
export type SlotIntent = z.infer<typeof intentSchema>

/** Names the steps of putting a slot in place; awaited before each, for tests that stop there. */
export type OnStep = (step: string) => void | Promise<void>

/** Writes the record so that it is there whole or not at all. */
export async function writeIntent(files: RepositoryFiles, intent: SlotIntent): Promise<void> {
  const file = intentName(intent.name, intent.id)
  const part = partName(file, intent.id)
  await files.remove(part)
  await files.create(part, JSON.stringify(intent))
  await files.rename(part, file)
  await files.sync()
}

/** Reads a record; null when it is none that we wrote. Everything in it is checked: the folder is not ours alone. */
export async function readIntent(files: RepositoryFiles, file: string): Promise<SlotIntent | null> {
  const record = await files.readText(file, MAX_INTENT_BYTES)
  if (record === null) return null
  const parsed = intentSchema.safeParse(parseJson(record.text))
  if (!parsed.success) return null
  const intent = parsed.data
  const fits = isPlainName(intent.name) && file === intentName(intent.name, intent.id)
  return fits && intent.parts.every(({ finalName }) => belongsTo(intent.name, finalName)) ? intent : null
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text)
  } catch {
    return null
  }
}

/** Whether every part of the slot is there whole, as `.part` or under its final name already. */
export async function partsFit(files: RepositoryFiles, intent: SlotIntent): Promise<boolean> {
  for (const part of intent.parts) {
    const places = [partName(part.finalName, intent.id), part.finalName]
    let found = false
    for (const place of places) found = found || (await hasContent(files, place, part))
    if (!found) return false
  }
  return true
}

async function hasContent(files: RepositoryFiles, file: string, wanted: { sha256: string; size: number }): Promise<boolean> {
  const facts = await files.stat(file)
  return facts?.size === wanted.size && (await files.hash(file)) === wanted.sha256
}

/**
 * Does what the record says, from wherever an earlier try stopped: renames, index, files that only the old entry
 * named, the record itself. May be repeated.
 */
export async function rollForward(files: RepositoryFiles, intent: SlotIntent, onStep: OnStep = () => {}): Promise<void> {
  for (const part of intent.parts) {
    await onStep(`rename ${part.finalName}`)
    await files.rename(partName(part.finalName, intent.id), part.finalName).catch((error: unknown) => {
      // renamed by the try that was interrupted
      if (!hasCode(error, 'not-found')) throw error
    })
  }
  await files.sync()
  await onStep('index')
  const enter = (index: BackupIndex) => {
    const present = index.get(intent.name)
    if (isOutrun(intent, present)) return
    if (intent.entry) index.set(intent.name, mergeEntry(present, intent.entry))
    else index.delete(intent.name)
  }
  await updateIndexFile(files, enter, intent.id, true)
  await onStep('old files')
  await removeReplacedFiles(files, intent)
  await onStep('record')
  await files.remove(intentName(intent.name, intent.id))
  await files.sync()
}

/** Whether the slot has got a newer backup meanwhile, which must be left alone. */
export function isOutrun(intent: SlotIntent, present: IndexEntry | undefined): boolean {
  return present !== undefined && present.timestamp > (intent.entry ?? intent.oldEntry ?? present).timestamp
}

/** The new entry, with the keys of the old one that we do not know. */
export function mergeEntry(old: IndexEntry | undefined, entry: IndexEntry): IndexEntry {
  return { ...old, ...entry }
}

/** Removes the files that only the old entry named, e.g. the plain form of what is encrypted now. */
async function removeReplacedFiles(files: RepositoryFiles, intent: SlotIntent): Promise<void> {
  const { document } = await readIndexFile(files)
  const named = new Set([...document.entries].flatMap(([name, entry]) => partFiles(name, entry).map(({ file }) => file)))
  for (const { file } of partFiles(intent.name, intent.oldEntry ?? undefined)) {
    if (!named.has(file)) await files.remove(file)
  }
}

/** Takes back what was not finished: removes the parts, then the record. What the index names stays. */
export async function rollBack(files: RepositoryFiles, intent: SlotIntent): Promise<void> {
  for (const { finalName } of intent.parts) await files.remove(partName(finalName, intent.id))
  await files.remove(intentName(intent.name, intent.id))
  await files.sync()
}
