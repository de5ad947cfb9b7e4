import { z } from 'zod'

/** One thing that a drill looked at in the restored copy. `unknown`: it could not be told, with the reason. */
export const drillCheckSchema = z.object({
  id: z.string(),
  name: z.string(),
  outcome: z.enum(['passed', 'warning', 'failed', 'unknown']),
  finding: z.string(),
})

/** What restoring a backup into a scratch database showed. */
export const drillReportSchema = z.object({
  /**
   * `failed`: at least one check failed. `unknown`: none did, but it can't be restored here, for want of an extension
   * or of a newer PostgreSQL; nothing is said against the backup.
   */
  outcome: z.enum(['passed', 'failed', 'unknown']),
  startedAt: z.iso.datetime(),
  /** Seconds from the first byte read to a database that answers: the measured recovery time. null: it did not load. */
  recoverySeconds: z.number().nullable(),
  /** Seconds of the whole drill, checks included. */
  seconds: z.number(),
  /** "PostgreSQL 18.4" */
  server: z.string(),
  tables: z.number(),
  rows: z.number(),
  checks: z.array(drillCheckSchema),
  /** Rows per table, for the comparison with the next backup. */
  rowCounts: z.record(z.string(), z.number()),
  /** The scratch folder, kept after a failure; null: cleaned away. */
  keptIn: z.string().nullable(),
})

export type DrillCheck = z.infer<typeof drillCheckSchema>
export type DrillReport = z.infer<typeof drillReportSchema>
