import { previewBackup } from '#engine/features/backup/index.ts'
import type { EngineContext } from '#engine/foundation/context.ts'
import { isCancelled, toAppError } from '#shared/errors.ts'
import { formatBytes } from '#shared/format.ts'
import type { PlanCheck } from '#shared/model/plan.ts'
import type { Site } from '#shared/model/site.ts'
import { keptName } from '#shared/rotation.ts'

const MAX_REASON = 300

/** The safety backup that a restore makes first; `name` null: it makes none. */
export interface PlannedSafety {
  name: string | null
  check: PlanCheck
}

/**
 * Whether the site as it is can be backed up before anything is written. What can't be read must be given up explicitly,
 * by switching the safety backup off.
 */
export async function planSafety(
  context: EngineContext,
  site: Site,
  options: { isWanted: boolean; at: Date; signal: AbortSignal },
): Promise<PlannedSafety> {
  const { isWanted, at, signal } = options
  if (!isWanted) return none('warning', 'Switched off: what is live now is not backed up first')
  const name = keptName(site.name, 'safety', at)
  try {
    const preview = await previewBackup(context, site, signal)
    const needs = `about ${formatBytes(preview.bytes)} in the vault, which has ${formatBytes(preview.freeBytes)} free`
    if (!preview.isEnough) return { name, check: check('failed', `${name} needs ${needs}. Free some space, or switch it off`) }
    return { name, check: check('passed', `Database and configuration as they are now become ${name}: ${needs}`) }
  } catch (error) {
    if (isCancelled(error)) throw error
    const { code, message } = toAppError(error)
    if (code === 'schema-unknown') return none('passed', 'There is no live schema yet, so that nothing has to be saved first')
    return {
      name,
      check: check(
        'failed',
        `The site as it is can’t be backed up: ${shortened(message)} Switch the safety backup off to restore all the same`,
      ),
    }
  }
}

function none(outcome: PlanCheck['outcome'], finding: string): PlannedSafety {
  return { name: null, check: check(outcome, finding) }
}

function check(outcome: PlanCheck['outcome'], finding: string): PlanCheck {
  return { name: 'Safety backup', outcome, finding }
}

/** Some errors name every object that stands in the way. */
function shortened(message: string): string {
  return message.length <= MAX_REASON ? message : `${message.slice(0, MAX_REASON)}….`
}
