import { useCallback, useEffect, useRef, useState } from 'react'
import type { RepositoryName } from '#shared/model/backup.ts'
import type { Loader, RestorePart, RestorePlan } from '#shared/model/plan.ts'
import { call } from '../bridge.ts'
import { callUnlocking } from '../queries.ts'
import { type PlanKind, usePlannedRun } from './use-planned-run.ts'

/** The backup that is restored. */
export interface RestoreSource {
  site: string
  name: string
  timestamp: string
  from?: RepositoryName
}

/** What the operator may choose before the plan is confirmed. */
export interface RestoreOptions {
  parts: RestorePart[]
  /** The site that is written; another one than the backup's for a staging copy. */
  onto: string
  /** null: the schema of that site. */
  schema: string | null
  withoutOwners: boolean
  withoutGrants: boolean
  /** Who loads the database. */
  loader: Loader
  safetyBackup: boolean
  /** Tried besides the stored ones, for this plan only. */
  passwords: string[]
}

const RESTORE: PlanKind<RestorePlan> = {
  read: (planId) => call('restore.getPlan', { planId }),
  run: (planId) => callUnlocking('restore.run', { planId }),
}

/** A restore on its way; every change of an option makes the plan again. */
export function useRestore(source: RestoreSource) {
  const { site, name, timestamp, from } = source
  const planned = usePlannedRun(RESTORE)
  const { makePlan } = planned
  const [options, setOptions] = useState<RestoreOptions>(() => defaultsFor(site))
  const latest = useRef(options)

  const change = useCallback(
    (changed: Partial<RestoreOptions>) => {
      const next = { ...latest.current, ...changed }
      latest.current = next
      setOptions(next)
      const { onto, schema, ...rest } = next
      void makePlan(() =>
        callUnlocking('restore.plan', {
          ...rest,
          site: onto,
          name,
          timestamp,
          ...(onto === site ? {} : { sourceSite: site }),
          ...(schema === null ? {} : { schema }),
          ...(from ? { from } : {}),
        }),
      )
    },
    [makePlan, site, name, timestamp, from],
  )
  useEffect(() => change({}), [change])
  return { ...planned, options, change }
}

function defaultsFor(site: string): RestoreOptions {
  return {
    parts: ['database', 'files'],
    onto: site,
    schema: null,
    withoutOwners: false,
    withoutGrants: false,
    loader: 'here',
    safetyBackup: true,
    passwords: [],
  }
}

/** The same restore from a terminal. */
export function restoreCommand({ site, name }: RestoreSource, options: RestoreOptions): string {
  const { onto, parts, schema } = options
  const isUsual = parts.length === 2 && parts.includes('database') && parts.includes('files')
  return [
    `zbd restore ${onto} ${name}`,
    onto === site ? '' : `--of ${site}`,
    schema === null ? '' : `--schema ${schema}`,
    isUsual ? '' : `--parts ${parts.join(',')}`,
    options.withoutOwners ? '--without-owners' : '',
    options.withoutGrants ? '--without-grants' : '',
    options.loader === 'server' ? '--loader server' : '',
    options.safetyBackup ? '' : '--no-safety-backup',
    `--confirm ${onto}`,
  ]
    .filter((word) => word !== '')
    .join(' ')
}
