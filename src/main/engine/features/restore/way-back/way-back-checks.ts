import { check, some } from '#engine/foundation/plans/check.ts'
import { formatBytes, formatCount, formatDuration, formatMoment, formatPlural } from '#shared/format.ts'
import type { KeptState, PlanCheck } from '#shared/model/plan.ts'
import type { KeptFiles } from '../files/undo-journal.ts'
import type { LiveDatabase } from '../live.ts'
import type { UndoFolder } from './undo-folders.ts'

export function keptThereCheck({ schema, bytes, keptAt }: KeptState): PlanCheck {
  return check(
    'Kept schema',
    'passed',
    `“${schema}” is there, ${formatBytes(bytes ?? 0)}, set aside on ${formatMoment(keptAt)} UTC`,
  )
}

/** A schema is renamed by its owner, who may also create one. */
export function swapRightsCheck(live: LiveDatabase, kept: LiveDatabase): PlanCheck {
  if (!live.mayCreateSchema)
    return check('Rights', 'failed', `“${live.user}” may not rename schemas in this database: it lacks CREATE`)
  if (!live.ownsSchema) return check('Rights', 'failed', `“${live.user}” does not own the live schema`)
  if (!kept.ownsSchema) return check('Rights', 'failed', `“${live.user}” does not own the kept schema`)
  return check('Rights', 'passed', `“${live.user}” owns both schemas`)
}

export function dropRightsCheck(kept: LiveDatabase, name: string): PlanCheck {
  return kept.ownsSchema
    ? check('Rights', 'passed', `“${kept.user}” owns the kept schema`)
    : check('Rights', 'failed', `“${kept.user}” does not own ${name}`)
}

export function newNameCheck(name: string, isThere: boolean): PlanCheck {
  return isThere
    ? check('Name', 'failed', `There is a schema “${name}” already`)
    : check('Name', 'passed', `What is live now is kept as “${name}”, which is free`)
}

/** An extension stays in the schema that it was put into, under whatever name that has. */
export function extensionsStayCheck(live: LiveDatabase, kept: LiveDatabase): PlanCheck {
  const inside = [...live.extensionsInside, ...kept.extensionsInside]
  return inside.length === 0
    ? check('Extensions', 'passed', 'None lives in one of the two schemas')
    : check('Extensions', 'warning', `${some(inside)} changes its name with the schema that it lives in`)
}

/** Views of others, foreign keys from elsewhere: they follow the tables, not the name. */
export function dependentsStayCheck(dependents: readonly string[]): PlanCheck {
  return dependents.length === 0
    ? check('Other schemas', 'passed', 'Nothing outside depends on the live schema')
    : check('Other schemas', 'warning', `Goes on using what is live now, once that is set aside: ${some(dependents)}`)
}

export function noDependentsCheck(dependents: readonly string[]): PlanCheck {
  return dependents.length === 0
    ? check('Other schemas', 'passed', 'Nothing outside depends on the kept schema')
    : check('Other schemas', 'failed', `Depends on the kept schema: ${some(dependents)}`)
}

export function filesThereCheck({ replaced, added, missing }: KeptFiles): PlanCheck {
  if (missing > 0) {
    return check(
      'Files',
      'warning',
      `${formatPlural(missing, 'kept file')} of ${formatCount(replaced + missing)} can’t be put back: gone`,
    )
  }
  const aside = added > 0 ? `; ${formatPlural(added, 'file')} that it had added will be set aside` : ''
  return check('Files', 'passed', `${formatPlural(replaced, 'kept file')} can be put back${aside}`)
}

export function laterChangesCheck(later: readonly UndoFolder[]): PlanCheck {
  const moments = later.map(({ at }) => `${formatMoment(at)} UTC`)
  return check(
    'Later changes',
    'warning',
    `Files were also changed by the restore or undo of ${some(moments)}; to have them exactly as then, undo that first`,
  )
}

export function writtenSinceCheck({ ageSeconds }: KeptState, edits: number | null): PlanCheck {
  const since = `in the ${formatDuration(ageSeconds)} since`
  const finding =
    edits === null || edits === 0
      ? `Whatever was written ${since}${edits === 0 ? ' (no edits)' : ''} leaves the live site, and is kept`
      : `${formatPlural(edits, 'edit')} ${since} ${edits === 1 ? 'leaves' : 'leave'} the live site, and ${edits === 1 ? 'is' : 'are'} kept`
  return check('Written since', 'warning', finding)
}

export function noWayBackCheck({ by, backup }: KeptState): PlanCheck {
  const what = by === 'undo' ? 'The undo' : backup ? `The restore of ${backup.name}` : 'The restore'
  return check('Way back', 'warning', `${what} that set this aside can’t be taken back any more`)
}
