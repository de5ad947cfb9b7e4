import { access, constants } from 'node:fs/promises'
import { freeBytes, isEnough } from '#engine/features/backup/index.ts'
import { check } from '#engine/foundation/plans/check.ts'
import { schemeOfIndex } from '#engine/foundation/repository/scheme.ts'
import type { BackupIndex, Lease, Repository } from '#engine/foundation/repository/types.ts'
import { AppError, isCancelled, toAppError } from '#shared/errors.ts'
import { formatBytes, formatDuration, formatPlural } from '#shared/format.ts'
import type { RepositoryName } from '#shared/model/backup.ts'
import type { PlanCheck } from '#shared/model/plan.ts'
import { PLACE_WORDS } from './describe-plan.ts'

/** A plan does not wait longer for somebody who is writing. */
const LEASE_WAIT_MS = 3000
/** Clocks that differ by less are told apart by nobody: a backup's day does not change. */
const CLOCK_SECONDS = 60

/** What a lease told; it is held until the plan is made. */
export interface LeaseFound {
  lease: Lease | null
  check: PlanCheck
}

/** Takes the target's lease, which shows that nobody else writes there, and that we may. */
export async function tryLease(to: Repository, signal: AbortSignal): Promise<LeaseFound> {
  const waited = AbortSignal.timeout(LEASE_WAIT_MS)
  const name = 'Free to write'
  try {
    const lease = await to.lease(AbortSignal.any([signal, waited]))
    if (to.kind === 'folder') await assertWritable(to.place)
    return { lease, check: check(name, 'passed', `Nobody else is writing in ${to.place}`) }
  } catch (error) {
    signal.throwIfAborted()
    if (waited.aborted || isCancelled(error)) {
      return {
        lease: null,
        check: check(
          name,
          'warning',
          `${to.place} did not become free to write within 3 s: another program is writing there, or the line is slow; this would wait`,
        ),
      }
    }
    return { lease: null, check: check(name, 'failed', toAppError(error).message.replace(/\.$/, '')) }
  }
}

/** A folder that is not there yet is made. */
async function assertWritable(folder: string): Promise<void> {
  await access(folder, constants.W_OK).catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return
    throw new AppError('no-permission', `${folder} can’t be written (${error.code ?? error.message}).`, { cause: error })
  })
}

/** @param free null: it can't be known */
export function spaceCheck(place: string, bytes: number, free: number | null): PlanCheck {
  const needs = `${formatBytes(bytes)} come`
  if (free === null) return check('Space', 'warning', `${needs}; what ${place} has free can’t be seen from here`)
  return check('Space', isEnough(bytes, free) ? 'passed' : 'failed', `${needs}; ${place} has ${formatBytes(free)} free`)
}

/** Bytes free on the disk of a folder on this computer. */
export function freeInFolder(folder: string): Promise<number | null> {
  return freeBytes(folder).catch(() => null)
}

/** @param aheadSeconds of the other clock, negative when it is behind */
export function clockCheck(to: RepositoryName, aheadSeconds: number): PlanCheck {
  const by = formatDuration(Math.abs(aheadSeconds))
  if (Math.abs(aheadSeconds) < CLOCK_SECONDS) return check('Clock', 'passed', `That of ${PLACE_WORDS[to]} goes as ours`)
  const how = aheadSeconds > 0 ? 'ahead of' : 'behind'
  return check('Clock', 'warning', `That of ${PLACE_WORDS[to]} is ${by} ${how} ours: which backup is newer may be told wrongly`)
}

/** Whether both sides would put a night's backup into the same slot. A copy keeps its name. */
export function slotsCheck(
  site: string,
  { from, to }: { from: RepositoryName; to: RepositoryName },
  indexes: { source: BackupIndex; target: BackupIndex },
): PlanCheck {
  const source = schemeOfIndex(site, indexes.source)
  const target = schemeOfIndex(site, indexes.target)
  if (source === null || target === null || source === target) {
    return check('Slots', 'passed', 'Both sides name the slots of their days alike, as far as it shows')
  }
  const finding = `${PLACE_WORDS[from]} rotates by the scheme “${source}”, ${PLACE_WORDS[to]} by “${target}”: a copy would take the slot of another day`
  return check('Slots', to === 'vault' ? 'warning' : 'failed', finding)
}

export function sourceCheck(place: string, backups: number, problems: number): PlanCheck {
  const has = `${formatPlural(backups, 'backup')} in ${place}`
  return problems === 0
    ? check('Source', 'passed', has)
    : check('Source', 'warning', `${has}; ${formatPlural(problems, 'entry', 'entries')} of its index can’t be read`)
}

/** A source that lost everything, or is the wrong one, must not empty the target. */
export function deletionCheck(deletions: number, isSourceEmpty: boolean): PlanCheck {
  return isSourceEmpty
    ? check('Deletion', 'failed', 'The source has no backups of this site at all; nothing is deleted because of that')
    : check('Deletion', 'warning', `${formatPlural(deletions, 'backup')} that the source does not have would be deleted`)
}
