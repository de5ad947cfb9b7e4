import { z } from 'zod'
import { backupListSchema, repositoryNameSchema } from '../model/backup.ts'
import { drillReportSchema } from '../model/drill.ts'
import { compressionSchema, dumpEngineSchema, siteNameSchema } from '../model/site.ts'
import { defineProcedure } from './define.ts'

const path = z.string().min(1).max(4096)
const backupName = z.string().min(1).max(200)
export const startedSchema = z.object({ jobId: z.string() })
export const levelSchema = z.union([z.literal(0), z.literal(1), z.literal(2), z.literal(3)])

/** One night of the strip on the overview. */
export const nightSchema = z.object({
  /** UTC date, 2026-11-23. */
  date: z.string(),
  outcome: z.enum(['good', 'one-place', 'failed', 'none']),
  text: z.string(),
})

/**
 * Whether a repository has the newest backup. `none`: it has none, or there is no such repository; `unknown`: a remote one
 * that was not looked at yet.
 */
export const copyStateSchema = z.enum(['newest', 'old', 'none', 'failing', 'unknown'])

export const siteStatusSchema = z.object({
  site: z.string(),
  label: z.string(),
  isDemo: z.boolean(),
  protection: z.enum(['protected', 'ageing', 'unprotected', 'unknown']),
  /** The reason in full, always there. */
  reason: z.string(),
  newest: z.object({ name: z.string(), timestamp: z.string(), bytes: z.number() }).nullable(),
  /** 35 nights, oldest first. */
  nights: z.array(nightSchema),
  /** Bytes of the backups, oldest first. */
  sizes: z.array(z.number()),
  copies: z.object({ vault: copyStateSchema, server: copyStateSchema, filestore: copyStateSchema }),
  encryption: z.enum(['encrypted', 'plain', 'mixed', 'none']),
  proof: z.object({ level: z.number(), at: z.string().nullable() }),
  /** The newest drill of any backup; null: none yet. */
  drill: drillReportSchema
    .pick({ outcome: true, startedAt: true, recoverySeconds: true })
    .extend({ name: z.string(), timestamp: z.string() })
    .nullable(),
  /** When its repositories were looked at: of a remote one that may be minutes ago. The oldest look counts. */
  checkedAt: z.string(),
})

export const backups = {
  'backups.list': defineProcedure({
    input: z.strictObject({ site: siteNameSchema, in: z.enum([...repositoryNameSchema.options, 'all']).default('all') }),
    output: backupListSchema,
    effect: 'read',
  }),
  'backups.listFolder': defineProcedure({ input: z.strictObject({ folder: path }), output: backupListSchema, effect: 'read' }),
  'backups.overview': defineProcedure({
    input: z.strictObject({}),
    output: z.object({ sites: z.array(siteStatusSchema) }),
    effect: 'read',
  }),
  /**
   * Makes a backup now, as a job. Into the vault it needs no confirmation; onto the server or into the filestore the
   * shell asks first.
   */
  'backups.create': defineProcedure({
    input: z.strictObject({
      site: siteNameSchema,
      to: repositoryNameSchema.default('vault'),
      databaseOnly: z.boolean().default(false),
      /** For this backup alone; default: the site's. */
      engine: dumpEngineSchema.optional(),
      compression: compressionSchema.optional(),
    }),
    output: startedSchema,
    effect: 'server',
  }),
  'backups.verify': defineProcedure({
    input: z.strictObject({
      site: siteNameSchema,
      name: backupName,
      timestamp: z.string().optional(),
      from: z.enum([...repositoryNameSchema.options, 'all']).optional(),
      level: levelSchema.default(2),
      passwords: z.array(z.string().max(1024)).max(20).default([]),
    }),
    output: startedSchema,
    effect: 'local',
  }),
  /**
   * Verifies a backup, restores it into a scratch database and looks at it; a job whose result is `{ repository, name,
   * timestamp, report, proof }`. Default: the newest.
   */
  'backups.drill': defineProcedure({
    input: z.strictObject({
      site: siteNameSchema,
      name: backupName.optional(),
      timestamp: z.string().optional(),
      from: repositoryNameSchema.optional(),
      passwords: z.array(z.string().max(1024)).max(20).default([]),
    }),
    output: startedSchema,
    effect: 'local',
  }),
  /** Removes the scratch databases that failed drills kept. */
  'backups.clearDrills': defineProcedure({
    input: z.strictObject({}),
    output: z.object({ removed: z.array(z.object({ folder: z.string(), bytes: z.number() })) }),
    effect: 'local',
  }),
  /** Keeps a copy of a backup in the vault, outside of the rotation; a job whose result is `{ name }`. */
  'backups.pin': defineProcedure({
    input: z.strictObject({
      site: siteNameSchema,
      name: backupName,
      timestamp: z.string().optional(),
      from: repositoryNameSchema.optional(),
    }),
    output: startedSchema,
    effect: 'local',
  }),
  /** Deletes a pinned or safety backup from the vault. Confirmed by the shell; `jobId` null: not confirmed, nothing done. */
  'backups.remove': defineProcedure({
    input: z.strictObject({ site: siteNameSchema, name: backupName, timestamp: z.string() }),
    output: z.object({ jobId: z.string().nullable() }),
    effect: 'delete',
  }),
  'backups.verifyFolder': defineProcedure({
    input: z.strictObject({
      folder: path,
      name: backupName.optional(),
      level: levelSchema.default(2),
      passwords: z.array(z.string().max(1024)).max(20).default([]),
    }),
    output: startedSchema,
    effect: 'read',
  }),
}

export type SiteStatus = z.infer<typeof siteStatusSchema>
export type Night = z.infer<typeof nightSchema>
