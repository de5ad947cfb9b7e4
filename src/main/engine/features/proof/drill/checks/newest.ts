import { quoteIdentifier } from '#engine/foundation/connections/postgres.ts'
import { formatDuration, formatMoment, formatMomentLong } from '#shared/format.ts'
import { type Copy, type Finding, failed, passed, warning } from './check.ts'

/** Clocks of servers differ, and a dump takes a while after the moment that names it. */
const SLACK_MS = 60 * 60 * 1000

/** The newest `rsc.modified`; null: nothing has one. */
export async function readNewest({ client, schema }: Pick<Copy, 'client' | 'schema'>): Promise<Date | null> {
  const { rows } = await client.query<{ newest: string | null }>(
    `SELECT (extract(epoch FROM max(modified)) * 1000)::bigint AS newest FROM ${quoteIdentifier(schema)}.rsc
     WHERE isfinite(modified)`,
  )
  const newest = rows[0]?.newest
  return newest === null || newest === undefined ? null : new Date(Number(newest))
}

/**
 * Whether the newest change fits the night of the backup.
 * @param timestamp of the backup, ISO UTC
 * @param earlier the newest change in an earlier backup; null: not known
 */
export function checkNewest(newest: Date | null, timestamp: string, earlier: { name: string; newest: Date } | null): Finding {
  if (newest === null) return failed('No resource has a time of its last change')
  const made = new Date(timestamp)
  const when = `The newest change is of ${formatMomentLong(newest)}`
  if (newest.getTime() > made.getTime() + SLACK_MS) {
    return warning(
      `${when}, after the backup’s own time (${formatMomentLong(made)}): one of the two clocks, or the index, is wrong`,
    )
  }
  if (earlier !== null && newest.getTime() < earlier.newest.getTime()) {
    return warning(
      `${when}, but ${earlier.name} had one of ${formatMoment(earlier.newest)} already: this copy is older than it says`,
    )
  }
  return passed(`${when}, ${formatDuration(Math.max(0, made.getTime() - newest.getTime()) / 1000)} before the backup`)
}
