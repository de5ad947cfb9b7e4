import { formatBytes, formatCount, formatDuration, formatPlural } from '#shared/format.ts'
import type { PlanCheck } from '#shared/model/plan.ts'
import type { LiveDatabase, NeededFindings } from '../live.ts'
import type { MediaSurvey } from '../media/survey-media.ts'
import type { DumpSurvey } from '../survey-dump.ts'

const SHOWN = 5

function check(name: string, outcome: PlanCheck['outcome'], finding: string): PlanCheck {
  return { name, outcome, finding }
}

/** "a, b, c and 7 more". */
function some(names: readonly string[]): string {
  const rest = names.length - SHOWN
  return names.slice(0, SHOWN).join(', ') + (rest > 0 ? ` and ${formatCount(rest)} more` : '')
}

export function schemaNameCheck(survey: DumpSurvey, schema: string): PlanCheck {
  return survey.makesSchema
    ? check('Schema name', 'passed', `The dump creates “${schema}”; the site uses “${schema}”`)
    : check('Schema name', 'failed', `The dump does not create “${schema}”, which the site uses`)
}

/** Tables and columns that are on one side only. */
export function columnsCheck(survey: DumpSurvey, live: LiveDatabase): PlanCheck {
  if (live.schemaOid === null) return check('Columns', 'passed', 'There is no live schema to compare with')
  const differences: string[] = []
  for (const [table, { columns }] of survey.tables) {
    const now = live.tables.get(table)
    if (!now) {
      differences.push(`${table} is in the backup only`)
      continue
    }
    if (columns === null) continue
    for (const column of columns) if (!now.columns.includes(column)) differences.push(`${table}.${column} is in the backup only`)
    for (const column of now.columns) if (!columns.includes(column)) differences.push(`${table}.${column} is not in the backup`)
  }
  for (const table of live.tables.keys()) if (!survey.tables.has(table)) differences.push(`${table} is not in the backup`)
  return differences.length === 0
    ? check('Columns', 'passed', `Same ${formatPlural(survey.tables.size, 'table')} and columns as the live schema`)
    : check('Columns', 'warning', some(differences))
}

/** @param hashFits null: the index has no hash */
export function completeCheck(name: string, to: string, hashFits: boolean | null): PlanCheck {
  if (hashFits === null) return check(name, 'warning', `Reads to ${to}; the index has no hash to compare with`)
  return hashFits
    ? check(name, 'passed', `Reads to ${to}; hash equals the index`)
    : check(name, 'failed', 'Its content is not what the index says: the hash differs')
}

export function unreadableCheck(name: string, reason: string): PlanCheck {
  return check(name, 'failed', reason.replace(/\.$/, ''))
}

export function passwordCheck(site: string, isStored: boolean): PlanCheck {
  return check('Password', 'passed', isStored ? `Stored password of ${site} fits` : 'The given password fits')
}

export function rolesCheck(needed: NeededFindings, live: LiveDatabase, roles: number): PlanCheck {
  if (needed.missingRoles.length > 0) {
    return check('Roles', 'failed', `The database server has no role ${some(needed.missingRoles)}, which the dump names`)
  }
  if (needed.unusableOwners.length > 0) {
    return check(
      'Roles',
      'failed',
      `“${live.user}” may not make ${some(needed.unusableOwners)} an owner: it is no member of that role`,
    )
  }
  return check('Roles', 'passed', `${formatPlural(roles, 'role')} that the dump names ${roles === 1 ? 'is' : 'are'} there`)
}

export function extensionsCheck(needed: NeededFindings, live: LiveDatabase): PlanCheck {
  if (live.extensionsInside.length > 0) {
    return check(
      'Extensions',
      'failed',
      `${some(live.extensionsInside)} ${live.extensionsInside.length === 1 ? 'lives' : 'live'} in the site’s schema and would go away with it`,
    )
  }
  return needed.missingReferences.length > 0
    ? check('Extensions', 'failed', `The database has no ${some(needed.missingReferences)}, which the dump needs`)
    : check('Extensions', 'passed', 'Everything that the dump needs from outside is there')
}

export function rightsCheck(live: LiveDatabase, securityDefiners: number): PlanCheck {
  if (!live.mayCreateSchema) return check('Rights', 'failed', `“${live.user}” may not create schemas in this database`)
  if (!live.ownsSchema) return check('Rights', 'failed', `“${live.user}” does not own the live schema and can’t move it away`)
  if (live.isSuperuser) {
    return check(
      'Rights',
      'warning',
      `“${live.user}” is a superuser: functions of the dump run with all rights while it is loaded`,
    )
  }
  if (securityDefiners > 0) {
    return check(
      'Rights',
      'warning',
      `${formatPlural(securityDefiners, 'function')} of the dump will run with the rights of the owner`,
    )
  }
  return check('Rights', 'passed', `“${live.user}” owns the schema and may create another`)
}

/** A schema that the server's own restore left behind. */
export function leftoverCheck(name: string, isThere: boolean): PlanCheck {
  return isThere
    ? check('Left-overs', 'warning', `There is a schema “${name}”: a restore by the server itself did not end well`)
    : check('Left-overs', 'passed', 'No unfinished restore of the server')
}

export function keptNameCheck(name: string, isThere: boolean): PlanCheck {
  return isThere
    ? check('Kept schema', 'failed', `There is a schema “${name}” already`)
    : check('Kept schema', 'passed', `The name “${name}” is free`)
}

/** Room for the media; what the database server has is not known. */
export function spaceCheck(media: MediaSurvey, freeBytes: number): PlanCheck {
  const needs = `Media need ${formatBytes(media.bytesToWrite)}; the disk has ${formatBytes(freeBytes)} free`
  return check('Space', media.bytesToWrite * 1.05 < freeBytes ? 'passed' : 'failed', needs)
}

export function ageCheck(ageSeconds: number, edits: number | null): PlanCheck {
  const set = edits !== null && edits > 0 ? `; ${formatPlural(edits, 'edit')} ${edits === 1 ? 'is' : 'are'} set back` : ''
  return check('Age', 'warning', `${formatDuration(ageSeconds)} older than the live site${set}`)
}

export function noMediaCheck(reason: string): PlanCheck {
  return check('Media', 'warning', reason)
}
