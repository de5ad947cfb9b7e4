import { isTrue } from '#engine/foundation/connections/zotonic/module-config.ts'
import { type Settings, textSetting } from '#engine/foundation/connections/zotonic/printed-settings.ts'
import { type FilestoreSettings, siteSchema } from '#shared/model/site.ts'
import { readFilestoreUrl } from './filestore-url.ts'

/** A database as a site's settings name it; its host is as the server sees it. */
export interface FoundDatabase {
  settings: ReturnType<typeof siteSchema.shape.database.parse>
  password: string | null
}

export interface FoundFilestore {
  settings: FilestoreSettings
  secret: string | null
}

/** The database that a site's settings name. @returns null: it has none, or they can't be read */
export function readDatabase(config: Settings): FoundDatabase | null {
  const [database, schema, user] = ['dbdatabase', 'dbschema', 'dbuser'].map((key) => textSetting(config, key))
  if (database === 'none') return null
  const settings = siteSchema.shape.database.safeParse({
    host: textSetting(config, 'dbhost') ?? 'localhost',
    port: Number(textSetting(config, 'dbport') ?? 5432),
    database,
    schema,
    user,
    via: 'ssh',
  })
  return settings.success ? { settings: settings.data, password: textSetting(config, 'dbpassword') } : null
}

/**
 * The file store of a site, from its own settings in its database, else from those of the server, which are of all its sites.
 * @param own `mod_filestore` in the site's table `config`
 * @param server `zotonic_mod_filestore` of the server
 * @returns a sentence when there is one that can't be used here; null: there is none
 */
export function readFilestore(site: string, own: ReadonlyMap<string, string>, server: Settings): FoundFilestore | string | null {
  const isLocked = isTrue(textSetting(server, 'is_config_locked') ?? '')
  const get = (key: string) => (isLocked ? null : own.get(key) || null) ?? textSetting(server, key)
  const ownUrl = isLocked ? null : own.get('s3url') || null
  const serverUrl = textSetting(server, 's3url')
  const url = ownUrl ?? (serverUrl === null ? null : urlOfSite(serverUrl, site))
  if (url === null) return null
  const place = readFilestoreUrl(url)
  const scheme = /^[a-z]+(?=:)/i.exec(url)?.[0] ?? 'no URL'
  if (!place) return `Its file store is no S3 bucket (${scheme}), so it can’t be used here.`
  const accessKeyId = get('s3key')
  if (accessKeyId === null) return `The access key of its file store, the bucket ${place.bucket}.`
  return { settings: { ...place, accessKeyId }, secret: get('s3secret') }
}

/** The server's own setting is for all sites: the site's name takes its place in it, or its end. */
function urlOfSite(url: string, site: string): string {
  if (url.includes('{{site}}')) return url.replace('{{site}}', site)
  return `${url.replace(/\/$/, '')}/${site}/`
}
