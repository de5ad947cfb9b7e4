import { outdated } from '#engine/foundation/plans/plan-shelf.ts'
import type { Repository } from '#engine/foundation/repository/types.ts'
import type { TransferDeletion } from '#shared/model/transfer.ts'
import { isoOf } from './compare.ts'

/**
 * Deletes a backup of the target, as long as it is the planned one and the source still has none of its name.
 * @throws AppError `plan-outdated`: it was left
 */
export async function deletePlanned(
  { name, timestamp }: TransferDeletion,
  { from, to }: { from: Repository; to: Repository },
  signal: AbortSignal,
): Promise<void> {
  const lease = await to.lease(signal)
  try {
    const entry = (await to.readIndex()).get(name)
    if (!entry || isoOf(entry) !== timestamp) throw outdated(`another backup came into ${name} of ${to.place}`)
    if ((await from.readIndexDocument()).texts.has(name)) throw outdated(`${from.place} has got a backup ${name}`)
    await to.removeSlot({ name, timestamp: entry.timestamp })
  } finally {
    await lease.release()
  }
}
