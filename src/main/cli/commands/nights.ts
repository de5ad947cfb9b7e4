import type { NightEnd, NightlyState } from '#shared/contract/schedule.ts'
import { AppError, cancelledError } from '#shared/errors.ts'
import { formatBytes, formatMoment, formatMomentLong, formatPlural, formatWeekdayDay } from '#shared/format.ts'
import { inPlace } from '#shared/model/backup.ts'
import { type Schedule, scheduleSchema } from '#shared/model/site.ts'
import { type Outcome, wrongUse } from '../exit.ts'
import type { Session } from '../session.ts'
import { formatTable } from '../table.ts'
import { repositoryOption } from './list.ts'

/** How the nights of all sites stand; a missed one is a problem. */
export async function listNights({ engine }: Session): Promise<Outcome> {
  const result = await engine.call('schedule.list', {})
  const rows = result.sites.map((state) => [state.site, scheduleText(state.schedule), nextText(state), lastText(state)])
  const table = rows.length > 0 ? formatTable(['Site', 'Nights', 'Next', 'Last'], rows) : 'No sites yet.\n'
  const missed = result.sites.flatMap(({ site, missed }) => (missed === null ? [] : [`! ${site}: ${missed}\n`]))
  return { result, text: table + missed.join(''), problem: missed.length > 0 }
}

function scheduleText({ enabled, at, to, databaseOnly }: Schedule): string {
  if (!enabled) return 'off'
  return `${at} UTC, ${to}${databaseOnly ? ', database only' : ''}`
}

function nextText({ runningJob, nextAt }: NightlyState): string {
  if (runningJob !== null) return 'runs now'
  return nextAt === null ? '–' : `${formatMoment(nextAt)} UTC`
}

function lastText({ last }: NightlyState): string {
  return last === null ? '–' : `${formatWeekdayDay(last.at)}: ${last.outcome}: ${last.text}`
}

/** Does what is due now, for all sites. @throws AppError `nights-failed` when one failed */
export async function runNights(session: Session): Promise<Outcome> {
  const result = await session.watch(session.engine.call('schedule.runDue', {}))
  const { nights } = result
  if (nights.some(({ outcome }) => outcome === 'cancelled')) throw cancelledError()
  const failed = nights.filter(({ outcome }) => outcome === 'failed')
  if (failed.length > 0) {
    throw new AppError(
      'nights-failed',
      `${formatPlural(failed.length, 'night')} failed. ${failed.map(({ site, text }) => `${site}: ${text}`).join(' ')}`,
      { hint: 'What was there before is unchanged. Run it again when the cause is gone.', details: { nights } },
    )
  }
  const isBad = nights.some(({ proofs }) => proofs !== null && proofs.failed.length > 0)
  return { result, text: nights.length > 0 ? nights.map(endText).join('') : 'Nothing is due now.\n', problem: isBad }
}

function endText({ site, outcome, text, proofs }: NightEnd): string {
  const proven = proofs && proofs.proven > 0 ? `  ${formatPlural(proofs.proven, 'backup')} proven, ${proofs.left} left.\n` : ''
  const failed = (proofs?.failed ?? []).map(({ name, repository, reason }) => `! ${name} ${inPlace(repository)}: ${reason}\n`)
  return `${site}: ${outcome}: ${text}\n${proven}${failed.join('')}`
}

/** Which files the coming nights write, and what they replace. */
export async function previewNights(
  { engine }: Session,
  site: string,
  options: { nights?: string; to?: string },
): Promise<Outcome> {
  const { nights } = options
  const to = repositoryOption(options.to, '--to', ['vault', 'server', 'filestore'])
  const count = nights === undefined ? undefined : wholeNumber(nights, '--nights', 1, 100)
  const result = await engine.call('schedule.preview', {
    site,
    ...(count === undefined ? {} : { nights: count }),
    ...(to === undefined ? {} : { to }),
  })
  const rows = result.nights.map(({ date, name, replaces }) => [
    formatWeekdayDay(`${date}T00:00:00Z`),
    name,
    replaces === null
      ? '–'
      : `${formatMomentLong(replaces.timestamp)}${replaces.bytes === null ? '' : `, ${formatBytes(replaces.bytes)}`}`,
  ])
  return {
    result,
    text: `Into the ${result.repository}, by the scheme "${result.scheme}".\n${formatTable(['Night', 'Writes', 'Replaces'], rows)}`,
  }
}

export interface SetNightsOptions {
  at?: string
  to?: string
  databaseOnly?: boolean
  withMedia?: boolean
  proofMinutes?: string
  off?: boolean
  confirm?: string
}

/** Switches the nights of a site on or off; what is not named stays as it is. */
export async function setNights({ engine }: Session, site: string, options: SetNightsOptions): Promise<Outcome> {
  const schedule = scheduleOf(options, (await engine.call('sites.show', { site })).site.schedule)
  const result = await engine.call('schedule.set', { site, schedule })
  if (!result.saved) {
    const place = schedule.to === 'server' ? 'onto the server' : 'into the filestore'
    throw new AppError('not-confirmed', `Nightly backups ${place} of ${site} were not confirmed. Nothing was changed.`, {
      hint: `Add --confirm ${site}.`,
      details: { site },
    })
  }
  const { missed } = result.state
  const next = schedule.enabled ? `The next one: ${nextText(result.state)}.\n` : ''
  return { result, text: `${site}: ${scheduleText(schedule)}.\n${next}${missed === null ? '' : `! ${missed}\n`}` }
}

function scheduleOf(options: SetNightsOptions, present: Schedule | undefined): Schedule {
  if (options.databaseOnly && options.withMedia) throw wrongUse('nights set: --database-only or --with-media: give one of them.')
  const to = repositoryOption(options.to, '--to', ['vault', 'server', 'filestore'])
  const parsed = scheduleSchema.safeParse({
    ...present,
    enabled: options.off !== true,
    ...(options.at === undefined ? {} : { at: options.at }),
    ...(to === undefined ? {} : { to }),
    ...(options.databaseOnly ? { databaseOnly: true } : options.withMedia ? { databaseOnly: false } : {}),
    ...(options.proofMinutes === undefined ? {} : { proofMinutes: wholeNumber(options.proofMinutes, '--proof-minutes', 0, 480) }),
  })
  if (parsed.success) return parsed.data
  throw wrongUse(`nights set: ${parsed.error.issues[0]?.message ?? 'the options do not fit'}.`)
}

/** What can be told before anything is opened. */
export function checkConfirm(command: string, site: string, confirm: string | undefined): void {
  if (confirm === undefined || confirm === site) return
  throw wrongUse(`${command}: --confirm names "${confirm}", but the site is "${site}". Nothing was done.`)
}

function wholeNumber(text: string, option: string, min: number, max: number): number {
  const value = Number(text)
  if (/^\d+$/.test(text) && value >= min && value <= max) return value
  throw wrongUse(`${option}: "${text}" is no whole number from ${min} to ${max}.`)
}
