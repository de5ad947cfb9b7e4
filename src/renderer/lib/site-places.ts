import type { RepositoryName } from '#shared/model/backup.ts'
import type { Site, SiteView } from '#shared/model/site.ts'
import { useSite } from '../queries.ts'

/** A repository of a site, and where it is, for people. */
export interface RepositoryPlace {
  repository: RepositoryName
  place: string
}

/** The repositories that a site has, in the order in which they are shown. */
export function placesOf({ site, vaultPath }: Pick<SiteView, 'site' | 'vaultPath'>): RepositoryPlace[] {
  const { server, filestore } = site
  return [
    { repository: 'vault', place: vaultPath },
    ...(server ? [{ repository: 'server' as const, place: serverPlace(server) }] : []),
    ...(filestore ? [{ repository: 'filestore' as const, place: filestorePlace(filestore) }] : []),
  ]
}

/** `web1.example.org:/srv/…/backup`; the folder alone when it is on this computer. */
function serverPlace(server: NonNullable<Site['server']>): string {
  const folder = server.backupDir ?? `${server.filesDir.replace(/\/$/, '')}/backup`
  return server.kind === 'ssh' ? `${server.ssh.host}:${folder}` : folder
}

/** `s3://bucket/prefix/backup` */
function filestorePlace({ bucket, prefix }: NonNullable<Site['filestore']>): string {
  return `s3://${[bucket, prefix, 'backup'].filter((part) => part !== '').join('/')}`
}

const VAULT_ALONE: RepositoryPlace[] = [{ repository: 'vault', place: '' }]

/** The repositories of a site; the vault alone until its settings are known. */
export function usePlaces(site: string): RepositoryPlace[] {
  const view = useSite(site).data
  return view ? placesOf(view) : VAULT_ALONE
}
