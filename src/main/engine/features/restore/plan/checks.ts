import { check, some } from '#engine/foundation/plans/check.ts'
import { formatBytes, formatDuration, formatPlural } from '#shared/format.ts'
import type { PlanCheck } from '#shared/model/plan.ts'
import type { LiveDatabase, NeededFindings } from '../live.ts'
import type { MediaSurvey } from '../media/survey-media.ts'
import type { DumpSurvey } from '../survey-dump.ts'
import type { DatabaseSpace } from './database-space.ts'

/** @param made the schema that the dump should make; it becomes `written` */
export function schemaNameCheck(survey: DumpSurvey, made: string, written: string): PlanCheck {
  if (!survey.makesSchema) return check('Schema name', 'failed', `The dump does not create “${made}”, which the site uses`)
  return made === written
    ? check('Schema name', 'passed', `The dump creates “${made}”; the site uses “${written}”`)
    : check('Schema name', 'passed', `The dump creates “${made}”; everything in it is written as “${written}”`)
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

export function rightsCheck(
  live: LiveDatabase,
  { securityDefiners, runs }: Pick<DumpSurvey, 'securityDefiners' | 'runs'>,
): PlanCheck {
  if (!live.mayCreateSchema) return check('Rights', 'failed', `“${live.user}” may not create schemas in this database`)
  if (!live.ownsSchema) return check('Rights', 'failed', `“${live.user}” does not own the live schema and can’t move it away`)
  if (live.isSuperuser && runs.size > 0) {
    return check(
      'Rights',
      'failed',
      `“${live.user}” may do anything on the database server, and the dump makes it run functions: ${some([...runs])}`,
    )
  }
  if (live.isSuperuser) {
    return check('Rights', 'warning', `“${live.user}” may do anything on the database server; a role of the site’s own is safer`)
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

/** Room for the media in the site's files folder. */
export function spaceCheck(media: MediaSurvey, freeBytes: number): PlanCheck {
  const needs = `Media need ${formatBytes(media.bytesToWrite)}; the disk has ${formatBytes(freeBytes)} free`
  return check('Space', media.bytesToWrite * 1.05 < freeBytes ? 'passed' : 'failed', needs)
}

export function ageCheck(ageSeconds: number, edits: number | null): PlanCheck {
  const set = edits !== null && edits > 0 ? `; ${formatPlural(edits, 'edit')} ${edits === 1 ? 'is' : 'are'} set back` : ''
  return check('Age', 'warning', `${formatDuration(ageSeconds)} older than the live site${set}`)
}

/** @param part "media" */
export function missingPartCheck(part: string): PlanCheck {
  return check(capital(part), 'warning', `This backup has no ${part}: what the site has stays as it is`)
}

export function noFolderCheck(part: string): PlanCheck {
  return check(capital(part), 'warning', `The site has no server folder in its settings: ${part} are not restored`)
}

function capital(text: string): string {
  return text.charAt(0).toUpperCase() + text.slice(1)
}

export function databaseSpaceCheck({ neededBytes, freeBytes, place }: DatabaseSpace): PlanCheck {
  const needs = `The database needs about ${formatBytes(neededBytes)}`
  if (freeBytes === null) {
    return check('Database space', 'warning', `${needs}; what its server has free can’t be seen from here: ${place}`)
  }
  const has = `${needs}; the disk of its data folder has ${formatBytes(freeBytes)} free`
  return check('Database space', neededBytes < freeBytes ? 'passed' : 'failed', has)
}

/** A restore into a schema that is not the site's own takes only a name that nobody uses. */
export function targetSchemaCheck(schema: string, own: string, isThere: boolean): PlanCheck {
  if (/^pg_/i.test(schema)) return check('Target schema', 'failed', 'PostgreSQL keeps names that start with “pg_” for itself')
  if (isThere) {
    return check(
      'Target schema',
      'failed',
      `There is a schema “${schema}” already; only a free name is written, so choose another`,
    )
  }
  return check('Target schema', 'warning', `The database goes into a new schema “${schema}”; the site goes on using “${own}”`)
}

/** A copy of one site that becomes another. */
export function stagingCheck(source: string, site: string): PlanCheck {
  return check(
    'Staging copy',
    'warning',
    `${site} becomes a copy of ${source}: its users, addresses and stored settings come along, and it may send mail to them`,
  )
}

export function samePlaceCheck(source: string, site: string): PlanCheck {
  return check('Staging copy', 'failed', `${source} and ${site} use the same schema of the same database`)
}

/** @param note a sentence */
export function configNoteCheck(note: string): PlanCheck {
  return check('Configuration', 'warning', note.replace(/\.$/, ''))
}

export function foreignConfigCheck(source: string, site: string): PlanCheck {
  return check('Configuration', 'warning', `Host names, passwords and keys of ${site} are replaced by those of ${source}`)
}
