import { testPassword } from '#engine/features/password-test/index.ts'
import { readModuleConfig } from '#engine/foundation/connections/zotonic/module-config.ts'
import type { EngineContext } from '#engine/foundation/context.ts'
import { keepForOlderFiles, setEncryptionPassword } from '#engine/foundation/settings/encryption-passwords.ts'
import type { OutputOf } from '#shared/contract/define.ts'
import type { servers } from '#shared/contract/servers.ts'
import { AppError } from '#shared/errors.ts'
import { formatMomentLong } from '#shared/format.ts'
import { MODULE, PASSWORD_KEY, withDatabase } from './settings.ts'

type Outcome = OutputOf<(typeof servers)['servers.takePassword']>

/**
 * Reads the encryption password that a site has in its database, tries it on the newest encrypted backup, and keeps it when it
 * fits: as the site's password when there is none, else beside those of older files.
 * @throws AppError `password-untried`, `secrets-locked`, those of the database
 */
export async function takePassword(context: EngineContext, name: string): Promise<Outcome> {
  const site = await context.sites.get(name)
  const config = await withDatabase(context, site, (client) => readModuleConfig(client, site.database.schema, MODULE))
  const password = config.get(PASSWORD_KEY) ?? ''
  if (password === '') {
    return { outcome: 'not-set', triedOn: null, text: `${name} has no encryption password in its database.` }
  }
  const { verdict, trials, problems } = await testPassword(context, name, password)
  const opened = newest(trials.filter(({ outcome }) => outcome === 'opens'))
  if (opened) {
    const text = await keep(context, name, password)
    return { outcome: 'fits', triedOn: opened, text: `It opens ${opened.name} of ${formatMomentLong(opened.timestamp)}. ${text}` }
  }
  const refused = newest(trials.filter(({ outcome }) => outcome === 'does-not-open'))
  if (refused) {
    const what = `${refused.name} of ${formatMomentLong(refused.timestamp)}`
    return {
      outcome: 'does-not-fit',
      triedOn: refused,
      text: `It does not open ${what}, so it was not kept: that has another one.`,
    }
  }
  if (verdict === 'nothing-to-open' && problems.length === 0) {
    const text = `${name} has no encrypted backup to try it on, so it was not kept.`
    return { outcome: 'nothing-encrypted', triedOn: null, text }
  }
  const why = [...trials.map(({ finding }) => finding), ...problems.map(({ message }) => message)].join(' ')
  throw new AppError('password-untried', `The password of ${name} could not be tried, so it was not kept. ${why}`, {
    hint: 'See to what keeps the backups from being read, then try again.',
    details: { site: name },
  })
}

async function keep(context: EngineContext, site: string, password: string): Promise<string> {
  if (await context.secrets.has(`site/${site}/encryption-password`)) {
    await keepForOlderFiles(context, site, password)
    return 'It is kept among the site’s passwords; that of new backups is as it was.'
  }
  await setEncryptionPassword(context, site, password)
  return 'It is now the site’s password here.'
}

function newest(trials: readonly { name: string; timestamp: string }[]): { name: string; timestamp: string } | null {
  const [first] = trials.toSorted((a, b) => b.timestamp.localeCompare(a.timestamp))
  return first ? { name: first.name, timestamp: first.timestamp } : null
}
