import { z } from 'zod'
import { siteInputSchema, siteNameSchema, siteViewSchema } from '../model/site.ts'
import { defineProcedure } from './define.ts'
import { hostKeySchema } from './servers.ts'

/** A settings file that could not be used: it was set aside, never overwritten. */
export const settingsProblemSchema = z.object({
  file: z.string(),
  keptAs: z.string().nullable(),
  code: z.string(),
  message: z.string(),
  hint: z.string(),
})

/** One step of trying a connection. `skipped`: it was not tried because a step before it failed. */
export const connectionCheckSchema = z.object({
  connection: z.enum(['vault', 'server', 'zotonic', 'database', 'filestore']),
  name: z.string(),
  outcome: z.enum(['passed', 'warning', 'failed', 'skipped']),
  finding: z.string(),
  advice: z.string(),
  milliseconds: z.number(),
})

export const sites = {
  'sites.list': defineProcedure({
    input: z.strictObject({}),
    output: z.object({ sites: z.array(siteViewSchema), problems: z.array(settingsProblemSchema) }),
    effect: 'read',
  }),
  'sites.show': defineProcedure({ input: z.strictObject({ site: siteNameSchema }), output: siteViewSchema, effect: 'read' }),
  /** Adds a site; refuses a name that exists. Its passwords go to the secret store. */
  'sites.add': defineProcedure({ input: z.strictObject({ site: siteInputSchema }), output: siteViewSchema, effect: 'local' }),
  /** Changes a site's settings. A password that is left out stays as it is. */
  'sites.update': defineProcedure({ input: z.strictObject({ site: siteInputSchema }), output: siteViewSchema, effect: 'local' }),
  /** Forgets a site and its stored passwords. Backups, database and server folder stay. Confirmed by the shell. */
  'sites.remove': defineProcedure({
    input: z.strictObject({ site: siteNameSchema }),
    output: z.object({ removed: z.boolean(), vaultKept: z.string() }),
    effect: 'delete',
  }),
  /**
   * Tries every connection of a site, saved or not, step by step; what it writes to see whether it may, it removes again.
   * `unknownHost`: the SSH host whose key must be accepted first.
   */
  'sites.test': defineProcedure({
    input: z.strictObject({ site: siteInputSchema }),
    output: z.object({ checks: z.array(connectionCheckSchema), unknownHost: hostKeySchema.nullable() }),
    effect: 'read',
  }),
}

export type SettingsProblem = z.infer<typeof settingsProblemSchema>
export type ConnectionCheck = z.infer<typeof connectionCheckSchema>
