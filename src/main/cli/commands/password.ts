import type { PasswordTest } from '#shared/contract/secrets.ts'
import { type Outcome, wrongUse } from '../exit.ts'
import type { Session } from '../session.ts'

/** The one command whose result is a secret: that is what it is for. */
export async function generatePassword({ engine }: Session): Promise<Outcome> {
  const result = await engine.call('secrets.generatePassword', {})
  return { result, text: `${result.password}\n` }
}

export async function setPassword(session: Session, site: string, options: { encrypt?: boolean }): Promise<Outcome> {
  const { engine } = session
  const before = (await engine.call('sites.show', { site })).site
  const password = await newPassword(session, site)
  const enabled = options.encrypt === true || before.encryption?.enabled === true
  const { hasEncryptionPassword } = await engine.call('sites.update', {
    site: { ...before, encryption: { ...before.encryption, enabled, password } },
  })
  const effect = enabled
    ? 'The next backup is encrypted with it.'
    : 'Encryption is off: turn it on with "zbd password set --encrypt", or in the site’s settings.'
  return {
    result: { site, encryption: { enabled }, hasEncryptionPassword },
    text: `Stored for ${site}. ${effect}\nKeep it elsewhere too: without this computer it is the only way to read the .enc files.\n`,
  }
}

async function newPassword({ sources, terminal }: Session, site: string): Promise<string> {
  const [given, second] = await sources.passwords()
  if (second !== undefined) throw wrongUse('password set: --password-file names one file. Nothing was stored.')
  if (given !== undefined) return given
  if (!terminal.canAsk) throw wrongUse('password set: there is no terminal to ask on. Give the password with --password-file.')
  const first = await terminal.ask(`New password for backups of ${site}: `, true)
  const again = await terminal.ask('The same again: ', true)
  if (first === '') throw wrongUse('A password is needed. Nothing was stored.')
  if (first !== again) throw wrongUse('The two are not the same. Nothing was stored.')
  return first
}

export async function testPassword({ engine, sources }: Session, site: string): Promise<Outcome> {
  const [password, second] = await sources.passwords()
  if (second !== undefined) throw wrongUse('password test: --password-file names one file.')
  const result = await engine.call('secrets.testPassword', { site, ...(password === undefined ? {} : { password }) })
  const isProven = result.verdict === 'opens' || result.verdict === 'opens-with-older'
  return { result, text: testText(result, site), problem: !isProven || result.problems.length > 0 }
}

function testText({ trials, problems }: PasswordTest, site: string): string {
  const findings = trials.map(({ finding }) => `${finding}\n`)
  if (trials.length === 0) findings.push(`${site} has no encrypted backup yet, so there is nothing to try a password on.\n`)
  return [...findings, ...problems.map(({ repository, message, hint }) => `! ${repository}: ${message}\n  ${hint}\n`)].join('')
}
