import { AppError } from '#shared/errors.ts'
import type { ZotonicSettings } from '#shared/model/site.ts'
import type { RunResult, SshConnection } from '../ssh/types.ts'
import { findZotonic, LOOKED_IN } from './find-command.ts'
import { type BackupStart, readBackupStart, readPath, readStatus, saysOk, shownOutput, type ZotonicStatus } from './outputs.ts'
import { readPrintedSettings, type Settings } from './printed-settings.ts'

/** An escript starts in a second or two; a server that is busy with a backup takes longer. */
const TIMEOUT_MS = 120_000
/** A restart waits until the site has stopped. */
const RESTART_TIMEOUT_MS = 300_000

/**
 * Zotonic's own command on a server. Errors: `zotonic-missing`, `zotonic-refused`, `sudo-refused`, `site-unknown-there`; each says
 * what could not be done, and the command to type by hand. Source: docs/formats.md, "The server's command".
 */
export interface Zotonic {
  readonly path: string
  /** null: as who logs in. */
  readonly runAs: string | null
  /** A command as an operator types it on the server. */
  byHand(...words: string[]): string
  /** `1.0.0-rc.17 [Erlang/OTP 25]`; null: it does not tell. */
  version(signal?: AbortSignal): Promise<string | null>
  status(signal?: AbortSignal): Promise<ZotonicStatus>
  siteDir(site: string, signal?: AbortSignal): Promise<string>
  /** What the site is set to, passwords included. */
  siteConfig(site: string, signal?: AbortSignal): Promise<Settings>
  /** What the server is set to, passwords included: `zotonic`, `zotonic_mod_filestore`, … */
  serverConfig(signal?: AbortSignal): Promise<Settings>
  /** Starts a backup, which goes on by itself; `in-progress`: one is under way already. */
  startBackup(site: string, signal?: AbortSignal): Promise<Extract<BackupStart, 'started' | 'in-progress'>>
  flush(site: string, signal?: AbortSignal): Promise<string>
  restart(site: string, signal?: AbortSignal): Promise<string>
}

/**
 * Finds Zotonic's command on a server.
 * @throws AppError `zotonic-missing`, `sudo-refused`, those of the connection
 */
export async function openZotonic(ssh: SshConnection, settings: ZotonicSettings, signal?: AbortSignal): Promise<Zotonic> {
  const runAs = settings.runAs ?? null
  // -H: the node's cookie is in the home folder of its user
  const prefix = runAs === null ? [] : ['sudo', '-n', '-H', '-u', runAs, '--']
  const found = settings.command ?? (await findZotonic(ssh, runAs, prefix, signal))
  if (found === null) {
    throw new AppError('zotonic-missing', `Zotonic’s command was not found on ${ssh.place}. Nothing was run there.`, {
      hint: `It was looked for in ${LOOKED_IN}. Set its path in the site’s settings.`,
      details: { server: ssh.place },
    })
  }
  const path = found
  const byHand = (...words: string[]) => handCommand(path, runAs, words)

  async function run(words: readonly string[], what: string, timeoutMs = TIMEOUT_MS, from?: AbortSignal): Promise<RunResult> {
    const result = await ssh.run([...prefix, path, ...words], { timeoutMs, ...(from ? { signal: from } : {}) })
    if (result.code === 0) return result
    throw runError({ place: ssh.place, path, runAs, byHand: byHand(...words), what, result, secret: isSecret(words) })
  }

  /** The words of a command that ended well did not say what they should: is it that the site is not there? */
  async function refused(
    words: readonly string[],
    site: string,
    what: string,
    output: string,
    from?: AbortSignal,
  ): Promise<AppError> {
    const listed = await status(from).catch(() => null)
    from?.throwIfAborted()
    if (listed && !listed.sites.some(({ name }) => name === site)) return unknownThere(ssh.place, site, what, listed)
    return refusedError(ssh.place, what, byHand(...words), output)
  }

  async function status(from?: AbortSignal): Promise<ZotonicStatus> {
    const { stdout, stderr } = await run(['status'], 'the sites were not listed', TIMEOUT_MS, from)
    const found = readStatus(stdout)
    if (found) return found
    throw refusedError(ssh.place, 'the sites were not listed', byHand('status'), shownOutput(stdout, stderr))
  }

  async function runForSite(words: readonly string[], site: string, what: string, timeoutMs?: number, from?: AbortSignal) {
    try {
      return await run(words, what, timeoutMs, from)
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'zotonic-refused') throw error
      const listed = await status(from).catch(() => null)
      if (!listed || listed.sites.some(({ name }) => name === site)) throw error
      throw unknownThere(ssh.place, site, what, listed)
    }
  }

  return {
    path,
    runAs,
    byHand,
    status,
    async version(from) {
      const { stdout } = await run(['-v'], 'its version was not told', TIMEOUT_MS, from)
      return /^\S+ \[.+\]$/m.exec(stdout)?.[0].slice(0, 100) ?? null
    },
    async siteDir(site, from) {
      const what = `the folder of ${site} was not told`
      const { stdout, stderr } = await runForSite(['sitedir', site], site, what, TIMEOUT_MS, from)
      const found = readPath(stdout)
      if (found !== null) return found
      throw await refused(['sitedir', site], site, what, shownOutput(stdout, stderr), from)
    },
    async siteConfig(site, from) {
      const { stdout } = await run(['siteconfig', site], `the settings of ${site} were not told`, TIMEOUT_MS, from)
      return readPrintedSettings(stdout)
    },
    async serverConfig(from) {
      const { stdout } = await run(['config', 'zotonic'], 'the settings of the server were not told', TIMEOUT_MS, from)
      return readPrintedSettings(stdout)
    },
    async startBackup(site, from) {
      const words = ['backup', site, 'start']
      const what = `no backup of ${site} was started`
      const { stdout, stderr } = await runForSite(words, site, what, TIMEOUT_MS, from)
      const outcome = readBackupStart(stdout)
      if (outcome === 'started' || outcome === 'in-progress') return outcome
      if (outcome === 'no-module') {
        throw new AppError('zotonic-refused', `On ${ssh.place} the backup module of ${site} is off, so ${what}.`, {
          hint: `Switch mod_backup on in the site’s admin, then try again, or type on the server: ${byHand(...words)}`,
          details: { server: ssh.place, site, command: byHand(...words) },
        })
      }
      throw await refused(words, site, what, shownOutput(stdout, stderr), from)
    },
    async flush(site, from) {
      const what = `the caches of ${site} were not emptied`
      const { stdout, stderr } = await runForSite(['flush', site], site, what, TIMEOUT_MS, from)
      if (saysOk(stdout)) return shownOutput(stdout)
      throw await refused(['flush', site], site, what, shownOutput(stdout, stderr), from)
    },
    async restart(site, from) {
      const what = `${site} was not restarted`
      const { stdout, stderr } = await runForSite(['restartsite', site], site, what, RESTART_TIMEOUT_MS, from)
      if (saysOk(stdout)) return shownOutput(stdout)
      throw await refused(['restartsite', site], site, what, shownOutput(stdout, stderr), from)
    },
  }
}

/** A command of Zotonic as an operator types it on the server. */
export function handCommand(path: string | null, runAs: string | null, words: readonly string[]): string {
  const sudo = runAs === null ? [] : ['sudo', '-u', runAs]
  return [...sudo, path ?? 'zotonic', ...words].map(quotedWord).join(' ')
}

function quotedWord(word: string): string {
  return /^[\w@%+=:,./-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}

function isSecret(words: readonly string[]): boolean {
  return words[0] === 'siteconfig' || words[0] === 'config'
}

function runError(failed: {
  place: string
  path: string
  runAs: string | null
  byHand: string
  what: string
  result: RunResult
  /** Its output is not shown. */
  secret: boolean
}): AppError {
  const { place, path, runAs, byHand, what, result } = failed
  const { code, stderr } = result
  const details = { server: place, command: byHand, code }
  if (runAs !== null && /^sudo: /m.test(stderr) && !/command not found/.test(stderr)) {
    const why = /password is required|terminal is required/.test(stderr)
      ? 'asks for a password'
      : /unknown user/.test(stderr)
        ? `knows no user "${runAs}"`
        : 'does not allow it'
    return new AppError('sudo-refused', `On ${place} sudo ${why}, so ${what}.`, {
      hint: `Allow it in sudoers (NOPASSWD: ${path}, for ${runAs}), or log in as ${runAs}. By hand, on the server: ${byHand}`,
      details,
    })
  }
  if (code === 127 || code === 126 || /command not found|No such file or directory: .*zotonic/.test(stderr)) {
    const who = runAs ?? 'who logs in'
    return new AppError('zotonic-missing', `There is no command ${path} on ${place} that ${who} may run, so ${what}.`, {
      hint: `Set its path in the site’s settings. By hand, on the server: ${byHand.replace(path, 'zotonic')}`,
      details,
    })
  }
  return refusedError(place, what, byHand, shownOutput(failed.secret ? '' : result.stdout, stderr), code)
}

function refusedError(place: string, what: string, byHand: string, said: string, code: number | null = 0): AppError {
  const says = said === '' ? 'said nothing' : `said: ${said}`
  const why = /not running/.test(said)
    ? 'Is Zotonic running, and as this user? If it runs as another one, name that user in the site’s settings. '
    : /running zotonic as root/i.test(said)
      ? 'Name the user that Zotonic runs as in the site’s settings. '
      : ''
  return new AppError('zotonic-refused', `Zotonic’s command on ${place} ${says}. So ${what}.`, {
    hint: `${why}By hand, on the server: ${byHand}`,
    details: { server: place, command: byHand, code },
  })
}

function unknownThere(place: string, site: string, what: string, { sites }: ZotonicStatus): AppError {
  const names = sites.map(({ name }) => name)
  return new AppError('site-unknown-there', `The Zotonic of ${place} has no site ${site}, so ${what}.`, {
    hint: names.length > 0 ? `It has ${names.slice(0, 20).join(', ')}.` : 'It has no sites.',
    details: { server: place, site, sites: names.slice(0, 100) },
  })
}
