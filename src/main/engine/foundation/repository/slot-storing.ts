import { AppError } from '#shared/errors.ts'
import type { PartKind } from '#shared/model/backup.ts'
import { PART_FIELDS, partFiles } from './backup-index.ts'
import { readIndexFile } from './index-file.ts'
import { intentName, partFileName, partName } from './names.ts'
import type { RepositoryFiles } from './repository-files.ts'
import { isOutrun, partsFit, readIntent, rollBack, rollForward } from './slot-intent.ts'
import { checkSlot, type FinishedSlot, partDiffers, placeSlot, slotNewer } from './slot-writer.ts'
import type { IncomingSlot, IndexEntry, SlotWriting } from './types.ts'

/**
 * Begins to store a backup in a folder, or goes on with it: its parts grow as `.part` files under the transfer's id and are
 * put in place together, see docs/formats.md, "Putting a slot in place".
 *
 * A backup of the slot's present timestamp is the same backup. It is put in place again only to mend it: when files of the present
 * entry are missing, or are not what their recorded hash says, or the caller knows them to be damaged. Otherwise it is refused as `slot-newer`, unless what is there is
 * exactly what is offered: then nothing is changed and the present entry is the answer.
 * @param guard called right before the first change that can't be taken back; throws when the lease was lost
 * @throws AppError `slot-invalid`, `slot-not-rotation`
 */
export function storeSlot(files: RepositoryFiles, incoming: IncomingSlot, guard: () => Promise<void>): SlotWriting {
  checkSlot(files, incoming)
  const { id, name, isEncrypted } = incoming
  const partOf = (kind: PartKind) => partName(partFileName(kind, name, isEncrypted), id)
  /** Hashes of parts as the server has them. */
  const storedHashes = new Map<PartKind, Promise<string>>()

  function expected(kind: PartKind): number {
    const part = incoming.parts.find((candidate) => candidate.kind === kind)
    if (part) return part.size
    throw new AppError('slot-invalid', `${name} has no such part (${kind}). Nothing was written.`, { details: { name, kind } })
  }

  /** What is there is read back, by the server itself where it can. */
  function hashStored(kind: PartKind, signal: AbortSignal): Promise<string> {
    const known = storedHashes.get(kind)
    if (known) return known
    const hash = files.hash(partOf(kind), signal)
    hash.catch(() => {
      if (storedHashes.get(kind) === hash) storedHashes.delete(kind)
    })
    storedHashes.set(kind, hash)
    return hash
  }

  async function assertStored(hashes: Partial<Record<PartKind, string>>, signal: AbortSignal): Promise<FinishedSlot['parts']> {
    const parts: FinishedSlot['parts'] = []
    for (const { kind, size } of incoming.parts) {
      const file = partFileName(kind, name, isEncrypted)
      const stored = (await files.stat(partOf(kind)))?.size ?? null
      if (stored !== size) throw partDiffers(file, { expected: size, stored })
      const sha256 = hashes[kind]
      if (sha256 === undefined) throw new AppError('slot-invalid', `${file} has no hash. Nothing was put in place.`)
      const found = files.isRemote ? await hashStored(kind, signal) : sha256
      if (sha256 !== found) throw partDiffers(file, { expected: sha256, stored: found })
      parts.push({ kind, size, sha256 })
    }
    return parts
  }

  /** An earlier try that came as far as its record is only finished. null: there was none. */
  async function finishBegun(): Promise<IndexEntry | null> {
    const intent = await readIntent(files, intentName(name, id))
    if (!intent) return null
    // a server may have written a newer backup into the slot since, whose files must not be overwritten
    const present = (await readIndexFile(files)).document.entries.get(name)
    if (present && isOutrun(intent, present)) {
      await rollBack(files, intent)
      throw slotNewer(incoming, present.timestamp)
    }
    if (!(await partsFit(files, intent))) return null
    await guard()
    await rollForward(files, intent)
    return (await readIndexFile(files)).document.entries.get(name) ?? null
  }

  async function discard(): Promise<void> {
    storedHashes.clear()
    for (const { kind } of incoming.parts) await files.remove(partOf(kind))
    await files.remove(partName(intentName(name, id), id))
  }

  return {
    discard,

    async storedBytes(kind) {
      const whole = expected(kind)
      const size = (await files.stat(partOf(kind)))?.size ?? 0
      if (size <= whole) return files.sureBytes(size)
      await files.remove(partOf(kind))
      return 0
    },

    async readStored(kind, length, signal) {
      expected(kind)
      return files.read(partOf(kind), { length, signal })
    },

    async write(kind, body, offset, signal, { onWritten } = {}) {
      const whole = expected(kind)
      const stored = offset === 0 ? 0 : ((await files.stat(partOf(kind)))?.size ?? 0)
      if (stored < offset || offset > whole) {
        body.destroy()
        throw partDiffers(partFileName(kind, name, isEncrypted), { offset, stored })
      }
      storedHashes.delete(kind)
      await files.prepare()
      // it is hashed while the disk takes it, and the next part is sent
      const onTaken = (end: number) => {
        if (end === whole) hashStored(kind, signal)
      }
      await files.write(partOf(kind), body, { offset, signal, onTaken, onWritten })
    },

    async putInPlace(hashes, signal) {
      const finished = await finishBegun()
      if (finished) return finished
      const present = (await readIndexFile(files)).document.entries.get(name)
      if (present && present.timestamp > incoming.timestamp) throw slotNewer(incoming, present.timestamp)
      if (present && present.timestamp === incoming.timestamp) {
        const state = await compareWithPresent(files, { present, incoming, hashes, signal })
        if (state === 'same') {
          await discard()
          return present
        }
        if (state === 'whole' && !incoming.mends) throw slotNewer(incoming, present.timestamp)
      }
      const parts = await assertStored(hashes, signal)
      signal.throwIfAborted()
      await guard()
      return placeSlot(files, {
        id,
        name,
        timestamp: incoming.timestamp,
        parts,
        isEncrypted,
        isFilestoreUploaded: incoming.isFilestoreUploaded,
        unknownKeys: incoming.unknownKeys,
      })
    },
  }
}

/** What the slot holds of the same moment: `same`: these very files; `damaged`: to be mended; `whole`: other files, and good ones. */
async function compareWithPresent(
  files: RepositoryFiles,
  offered: {
    present: IndexEntry
    incoming: IncomingSlot
    hashes: Partial<Record<PartKind, string>>
    signal: AbortSignal
  },
): Promise<'same' | 'damaged' | 'whole'> {
  const { present, incoming, hashes, signal } = offered
  const parts = partFiles(incoming.name, present)
  let isSame = parts.length === incoming.parts.length && (present.is_encrypted ?? false) === incoming.isEncrypted
  let isDamaged = false
  for (const { kind, file } of parts) {
    const stored = (await files.stat(file)) === null ? null : await files.hash(file, signal)
    const recorded = present[PART_FIELDS[kind].hash]
    if (stored === null || (typeof recorded === 'string' && recorded !== stored)) isDamaged = true
    if (stored !== hashes[kind] || recorded !== stored || file !== partFileName(kind, incoming.name, incoming.isEncrypted))
      isSame = false
  }
  return isSame ? 'same' : isDamaged ? 'damaged' : 'whole'
}
