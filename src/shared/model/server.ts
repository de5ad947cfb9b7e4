import { z } from 'zod'
import { siteSchema } from './site.ts'

/** A site that was found on a server, as far as its settings could be read there. */
export const zotonicSiteSchema = z.object({
  name: z.string(),
  /** What `zotonic status` says: `running`, `stopped`, … */
  state: z.string(),
  /** `production`, `backup`, …; null: not told. */
  environment: z.string().nullable(),
  hostname: z.string().nullable(),
  /** What could be found, ready to be completed and added. */
  found: siteSchema.pick({ database: true, filestore: true }).partial().extend({
    siteDir: z.string().optional(),
    filesDir: z.string().optional(),
    securityDir: z.string().optional(),
  }),
  hasDatabasePassword: z.boolean(),
  hasFilestoreSecret: z.boolean(),
  /** What the operator must still give: sentences. */
  missing: z.array(z.string()),
})

export type ZotonicSite = z.infer<typeof zotonicSiteSchema>
