import { createHash } from 'node:crypto'
import type { FolderRepository } from '#engine/foundation/repository/folder.ts'
import { partFileName } from '#engine/foundation/repository/names.ts'
import type { SlotPart } from '#engine/foundation/repository/slot-writer.ts'

export const SLOT_JOB = '20261123T034300123-0a1b2c3d'
export const SLOT_KINDS = ['database', 'config', 'files'] as const

export const contentOf = (version: string, kind: string) => Buffer.from(`${version} ${kind} `.repeat(5000))
export const hashOf = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

/** Makes the part files of a backup of testsite-1; `halfway` is called in the middle of each. */
export async function makeParts(
  repository: FolderRepository,
  version: string,
  isEncrypted: boolean,
  halfway: (kind: string) => void = () => {},
  kinds: readonly (typeof SLOT_KINDS)[number][] = SLOT_KINDS,
): Promise<SlotPart[]> {
  const parts: SlotPart[] = []
  for (const kind of kinds) {
    const content = contentOf(version, kind)
    const { handle } = await repository.createPart(partFileName(kind, 'testsite-1', isEncrypted), SLOT_JOB)
    await handle.appendFile(content.subarray(0, 10_000))
    halfway(kind)
    await handle.appendFile(content.subarray(10_000))
    await handle.close()
    parts.push({ kind, sha256: hashOf(content), size: content.length })
  }
  return parts
}
