import type { ComingNight } from '#shared/contract/schedule.ts'
import { formatBytes, formatMoment, formatWeekdayDay } from '#shared/format.ts'
import type { RepositoryName } from '#shared/model/backup.ts'
import { useComingNights } from '../queries.ts'
import classes from './coming-nights.module.css'
import { REPOSITORY_LABEL } from './icons.tsx'
import { ErrorBox, SkeletonRows } from './states.tsx'
import table from './table.module.css'

/**
 * Which file each of the next nights writes, and what it replaces.
 * @param props.to as if they wrote there
 */
export function ComingNights({ site, to }: { site: string; to?: RepositoryName | undefined }) {
  const coming = useComingNights(site, to)
  if (coming.error) return <ErrorBox error={coming.error} onRetry={() => void coming.refetch()} />
  if (!coming.data) return <SkeletonRows rows={7} height={28} label="Reading the coming nights" />
  const { nights, repository } = coming.data
  return (
    <>
      <table className={`${table.table} ${classes.nights}`} aria-label={`Coming nights of ${site}`}>
        <thead>
          <tr>
            <th className={classes.colNight}>Night</th>
            <th className={classes.colWrites}>Writes</th>
            <th>Replaces</th>
          </tr>
        </thead>
        <tbody>
          {nights.map((night) => (
            <tr key={night.date}>
              <td>{formatWeekdayDay(`${night.date}T00:00:00Z`)}</td>
              <td title={night.name}>{night.name}</td>
              <td title={replacedText(night)}>{replacedText(night)}</td>
            </tr>
          ))}
        </tbody>
      </table>
      <p className={classes.note}>
        Into the {REPOSITORY_LABEL[repository].toLowerCase()}. Pinned and safety backups are never replaced.
      </p>
    </>
  )
}

function replacedText({ replaces }: ComingNight): string {
  if (!replaces) return '–'
  if (replaces.bytes === null) return formatWeekdayDay(replaces.timestamp)
  return `${formatMoment(replaces.timestamp)}, ${formatBytes(replaces.bytes)}`
}
