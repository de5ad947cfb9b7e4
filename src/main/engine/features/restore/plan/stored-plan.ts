import type { EngineContext } from '#engine/foundation/context.ts'
import { PlanShelf } from '#engine/foundation/plans/plan-shelf.ts'
import type { RepositoryName } from '#shared/model/backup.ts'
import type { RestorePlan } from '#shared/model/plan.ts'
import type { PsqlProgram } from '../on-server/psql-program.ts'
import type { PartFile } from '../open-part.ts'
import type { MediaSums } from '../remote-files/survey-remote-media.ts'

/** A part as the plan read it, to its end. */
export interface PlannedPart extends PartFile {
  /** SHA-256 of the stored file. */
  storedHash: string
  /** Bytes of the stored file. */
  storedBytes: number
}

/** A plan and what must still be so when it is run. Kept in memory only: it holds passwords. */
export interface StoredPlan {
  plan: RestorePlan
  from: RepositoryName
  /** SHA-256 of the settings of the site, and of the site whose backup it is. */
  settings: string
  sourceSettings: string
  /** The schema that the dump makes, which may become another one. */
  dumpSchema: string
  database: PlannedPart | null
  media: PlannedPart | null
  config: PlannedPart | null
  /** Media that a server has with the backup's content; null: they are compared as they are written. */
  mediaSums: MediaSums | null
  liveOid: number | null
  /** How the site's server loads the database; null: this computer does. */
  onServer: ServerLoading | null
  /** What the database must hold once it is loaded. */
  expected: ExpectedContent
  passwords: readonly string[]
  isUsed: boolean
}

/** What a dump makes, as far as it can be counted again in the database. */
export interface ExpectedContent {
  /** Rows per table. */
  rows: ReadonlyMap<string, number>
  /** Constraints that the dump adds to tables: how many of each name. */
  constraints: ReadonlyMap<string, number>
  /** Functions that run while it is loaded and do more than compute. */
  runs: ReadonlySet<string>
}

/** How psql on the site's server is to load a dump. */
export interface ServerLoading {
  psql: PsqlProgram
  /** The dump's file there, which is loaded as it stands; null: the dump is sent there. */
  file: string | null
  /** True when that file begins with `\restrict`. */
  isRestricted: boolean
}

export const restorePlans = new PlanShelf<StoredPlan>()

/** @throws AppError `plan-unknown` */
export function planOf(context: EngineContext, id: string): StoredPlan {
  return restorePlans.get(context, id)
}
