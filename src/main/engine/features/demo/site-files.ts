import { generateKeyPairSync, randomBytes } from 'node:crypto'
import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { SITE_NAME } from './content/site.ts'
import { DATABASE, type DemoPlaces } from './places.ts'

/**
 * The files of a site that a configuration backup holds: its settings, further ones in config.d, keys. The keys are
 * made here and now, and open nothing.
 */
export async function writeSiteFiles(places: DemoPlaces, databasePassword: string): Promise<void> {
  const configDir = join(places.siteDir, 'priv', 'config.d')
  for (const folder of [configDir, places.securityDir, places.archiveDir, places.backupDir, join(places.filesDir, 'preview')]) {
    await mkdir(folder, { recursive: true, mode: 0o700 })
  }
  const write = (path: string, text: string) => writeFile(path, text, { mode: 0o600 })
  await write(join(places.siteDir, 'priv', 'zotonic_site.config'), siteConfig(databasePassword))
  await write(join(configDir, 'mail.config'), MAIL_CONFIG)
  await write(join(configDir, 'languages.config'), LANGUAGES_CONFIG)
  const { privateKey, publicKey } = generateKeyPairSync('ec', {
    namedCurve: 'prime256v1',
    privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
    publicKeyEncoding: { type: 'spki', format: 'pem' },
  })
  await write(join(places.securityDir, `${SITE_NAME}.pem`), privateKey)
  await write(join(places.securityDir, `${SITE_NAME}.pub.pem`), publicKey)
  await write(join(places.securityDir, 'sign.key'), `${randomBytes(40).toString('base64url')}\n`)
}

function siteConfig(databasePassword: string): string {
  const key = (bytes: number) => randomBytes(bytes).toString('base64url')
  return `%% Configuration of the demo site: Museum De Oude Werf.
[
    {enabled, true},
    {environment, production},

    {hostname, "deoudewerf.example"},
    {hostalias, ["www.deoudewerf.example"]},
    {protocol, "https"},

    %% The embedded database of Backup Desk; its port is a new one at each start.
    {dbhost, "127.0.0.1"},
    {dbdatabase, "${DATABASE.database}"},
    {dbschema, "${DATABASE.schema}"},
    {dbuser, "${DATABASE.user}"},
    {dbpassword, "${databasePassword}"},

    {depcache_memory_max, 100},
    {skeleton, basesite},

    {sign_key, "${key(36)}"},
    {sign_key_simple, "${key(30)}"},

    {install_modules, []}
].
`
}

const MAIL_CONFIG = `[
    {smtp_relay, true},
    {smtp_relay_host, "localhost"},
    {email_from, "museum@deoudewerf.example"}
].
`

const LANGUAGES_CONFIG = `[
    {language, en},
    {languages, [en, nl]},
    {timezone, "Europe/Amsterdam"}
].
`
