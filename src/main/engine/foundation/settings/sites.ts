import type { SettingsProblem } from '#shared/contract/sites.ts'
import type { Site, SiteInput, SiteView } from '#shared/model/site.ts'
import type { PostgresConnection } from '../connections/postgres.ts'

export interface Sites {
  list(): Promise<{ sites: SiteView[]; problems: SettingsProblem[] }>
  /** @throws AppError `unknown-site` */
  get(name: string): Promise<Site>
  view(name: string): Promise<SiteView>
  add(input: SiteInput): Promise<SiteView>
  update(input: SiteInput): Promise<SiteView>
  remove(name: string): Promise<void>
  /** The vault's folder of a site. */
  vaultPath(site: Site): string
  /** The way to its database, password included. @throws AppError `secrets-locked` */
  connection(site: Site): Promise<PostgresConnection>
  /** Passwords to try on `.enc` files of this site; empty when none is stored. @throws AppError `secrets-locked` */
  encryptionPassword(site: Site): Promise<string | null>
}
