import { z } from 'zod'
import { type HostKey, hostKeySchema } from '#shared/contract/servers.ts'
import type { Job } from '#shared/model/job.ts'
import { type ZotonicSite, zotonicSiteSchema } from '#shared/model/server.ts'
import { databaseDraft, EMPTY_DRAFT, filestoreDraft, type SiteDraft } from './site-draft.ts'

const discoverySchema = z.object({ discovery: z.string(), command: z.string(), sites: z.array(zotonicSiteSchema) })

/** What looking at a server found. */
export type Discovery = z.infer<typeof discoverySchema>

export function discoveryOf(job: Pick<Job, 'kind' | 'state' | 'result'> | null): Discovery | null {
  if (job?.kind !== 'discover' || job.state !== 'done') return null
  const result = discoverySchema.safeParse(job.result)
  return result.success ? result.data : null
}

/** The key that must be accepted before the server can be looked at; null: it failed for another reason, or not at all. */
export function unknownKeyOf(job: Pick<Job, 'error'> | null): HostKey | null {
  if (job?.error?.code !== 'host-key-unknown') return null
  const key = hostKeySchema.safeParse(job.error.details)
  return key.success ? key.data : null
}

/** A site that was found, as a form that asks only for what is missing. How the server is reached stays as it was typed. */
export function draftOfFound({ name, hostname, found }: ZotonicSite, discovery: string, typed: SiteDraft): SiteDraft {
  const { database, filestore } = found
  return {
    ...typed,
    ...(database ? databaseDraft(database) : databaseDraft({ via: 'ssh', schema: name })),
    ...(filestore
      ? filestoreDraft(filestore)
      : { filestore: false, filestoreEndpoint: '', filestoreBucket: '', filestorePrefix: '', filestoreAccessKey: '' }),
    name,
    label: hostname ?? '',
    server: 'ssh',
    siteDir: found.siteDir ?? EMPTY_DRAFT.siteDir,
    filesDir: found.filesDir ?? EMPTY_DRAFT.filesDir,
    securityDir: found.securityDir ?? EMPTY_DRAFT.securityDir,
    backupDir: EMPTY_DRAFT.backupDir,
    discovery,
  }
}

/** What was found of a site, in words: "database, folders, filestore". */
export function foundText({ found, hasDatabasePassword }: ZotonicSite): string {
  const words = [
    ...(found.database ? [hasDatabasePassword ? 'database with its password' : 'database'] : []),
    ...(found.siteDir !== undefined && found.filesDir !== undefined ? ['folders'] : []),
    ...(found.filestore ? ['filestore'] : []),
  ]
  return words.length === 0 ? 'Nothing but its name' : words.join(', ')
}
