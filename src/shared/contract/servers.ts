import { z } from 'zod'
import { zotonicSiteSchema } from '../model/server.ts'
import { siteNameSchema, sshSchema, sshSecretsSchema, zotonicSchema } from '../model/site.ts'
import { startedSchema } from './backups.ts'
import { defineProcedure } from './define.ts'

/** A key that an SSH server showed. */
export const hostKeySchema = z.object({
  host: z.string(),
  port: z.int(),
  /** `ssh-ed25519` */
  type: z.string(),
  /** `SHA256:…`, as ssh-keygen prints it. */
  fingerprint: z.string(),
})

export const serverCommandSchema = z.enum(['flush', 'restart', 'status'])

/** Settings of mod_backup in the site's database. Source: docs/formats.md, "When the server makes one". */
export const modBackupSettingsSchema = z.object({
  /** 0 none, 1 database and files, 2 database only. */
  daily_dump: z.int().min(0).max(2),
  encrypt_backups: z.boolean(),
  allow_backup_download: z.boolean(),
  allow_manual_backup: z.boolean(),
  admin_panel: z.boolean(),
  revision_retention_months: z.int().min(1).max(1200),
  user_revision_retention_days: z.int().min(1).max(36_500),
  user_deletion_retention_days: z.int().min(1).max(30),
})

/** What the log of a `server-backup` job says that was cancelled after the server had been told to begin. */
export const NO_LONGER_FOLLOWED =
  'No longer followed. A backup that the server began goes on by itself: its index shows it when it is done.'

export const servers = {
  /** The host keys that were accepted here; those of `~/.ssh/known_hosts` count too and are not listed. */
  'hosts.list': defineProcedure({
    input: z.strictObject({}),
    output: z.object({ hosts: z.array(hostKeySchema) }),
    effect: 'read',
  }),
  /**
   * Accepts the key of a host that was unknown: only one that the host showed to this engine within the last hour, and never
   * in place of another one. @throws AppError `host-key-not-seen`, `host-key-changed`
   */
  'hosts.accept': defineProcedure({
    input: z.strictObject({
      host: z.string().min(1).max(255),
      port: z.int().min(1).max(65535),
      fingerprint: z.string().max(100),
    }),
    output: hostKeySchema,
    effect: 'local',
  }),
  /** Forgets an accepted key, e.g. because the server was set up anew. Confirmed by the shell. */
  'hosts.forget': defineProcedure({
    input: z.strictObject({ host: z.string().min(1).max(255), port: z.int().min(1).max(65535) }),
    output: z.object({ forgotten: z.boolean() }),
    effect: 'delete',
  }),
  /** The hosts of `~/.ssh/config`, to choose from. */
  'hosts.aliases': defineProcedure({
    input: z.strictObject({}),
    output: z.object({ aliases: z.array(z.object({ alias: z.string(), host: z.string(), user: z.string().nullable() })) }),
    effect: 'read',
  }),
  /**
   * Looks at a server by SSH: a job that changes nothing; its result is `{ discovery, command, sites: ZotonicSite[] }`. The secrets
   * that it finds stay in the engine, for `sites.add` with this `discovery`.
   */
  'servers.discover': defineProcedure({
    input: z.strictObject({ ssh: sshSchema, sshSecrets: sshSecretsSchema.optional(), zotonic: zotonicSchema.optional() }),
    output: startedSchema,
    effect: 'read',
  }),
  'servers.discovered': defineProcedure({
    input: z.strictObject({ discovery: z.string().max(64) }),
    output: z.object({ command: z.string(), runAs: z.string().nullable(), sites: z.array(zotonicSiteSchema) }),
    effect: 'read',
  }),
  /**
   * `zotonic backup SITE start`, followed until the server's index shows the new backup; a job whose result is `{ name,
   * timestamp, isOurs, seconds }`; `isOurs` false: one was under way already. Confirmed by the shell; `jobId` null: not confirmed.
   */
  'servers.backup': defineProcedure({
    input: z.strictObject({ site: siteNameSchema }),
    output: z.object({ jobId: z.string().nullable() }),
    effect: 'server',
  }),
  /** Runs one command of Zotonic for the site; a job whose result is `{ output }`. A restart is confirmed by the shell. */
  'servers.command': defineProcedure({
    input: z.strictObject({ site: siteNameSchema, command: serverCommandSchema }),
    output: z.object({ jobId: z.string().nullable() }),
    effect: 'server',
  }),
  /** What mod_backup of the site is set to; `hasPassword`: whether an encryption password is set there. */
  'servers.backupSettings': defineProcedure({
    input: z.strictObject({ site: siteNameSchema }),
    output: z.object({ settings: modBackupSettingsSchema, hasPassword: z.boolean() }),
    effect: 'read',
  }),
  /** Changes settings of mod_backup, then flushes the site. Confirmed by the shell. */
  'servers.updateBackupSettings': defineProcedure({
    input: z.strictObject({ site: siteNameSchema, settings: modBackupSettingsSchema.partial() }),
    output: z.object({
      updated: z.boolean(),
      settings: modBackupSettingsSchema,
      /** Whether the site was flushed; null: it was not needed. Else what is left to do by hand. */
      flushed: z.boolean().nullable(),
      advice: z.string(),
    }),
    effect: 'server',
  }),
  /**
   * Reads the site's own encryption password from its database, tries it on the newest encrypted backup and keeps it among
   * the site's passwords when it fits. Never shown.
   */
  'servers.takePassword': defineProcedure({
    input: z.strictObject({ site: siteNameSchema }),
    output: z.object({
      outcome: z.enum(['fits', 'does-not-fit', 'not-set', 'nothing-encrypted']),
      /** The backup it was tried on. */
      triedOn: z.object({ name: z.string(), timestamp: z.string() }).nullable(),
      text: z.string(),
    }),
    effect: 'local',
  }),
}

export type HostKey = z.infer<typeof hostKeySchema>
export type ServerCommand = z.infer<typeof serverCommandSchema>
export type ModBackupSettings = z.infer<typeof modBackupSettingsSchema>
