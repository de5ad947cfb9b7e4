import type { RepositoryName } from '#shared/model/backup.ts'
import type { Loader, RestorePart } from '#shared/model/plan.ts'

/** What a restore is asked to do. */
export interface RestorePlanRequest {
  /** The site that is written. */
  site: string
  name: string
  timestamp?: string | undefined
  from?: RepositoryName | undefined
  parts: RestorePart[]
  /** The site whose backup it is; default: `site`. */
  sourceSite?: string | undefined
  /** The schema that is written; default: the site's own. */
  schema?: string | undefined
  withoutOwners?: boolean
  withoutGrants?: boolean
  /** Default: `here`. */
  loader?: Loader
  /** Default: true. */
  safetyBackup?: boolean
  passwords: string[]
}
