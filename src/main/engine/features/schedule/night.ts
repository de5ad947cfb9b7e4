import { type BackupResult, makeBackup } from '#engine/features/backup/index.ts'
import type { EngineContext } from '#engine/foundation/context.ts'
import type { JobContext, JobHandle } from '#engine/foundation/jobs/types.ts'
import type { Lock } from '#engine/foundation/locks.ts'
import type { NightEnd } from '#shared/contract/schedule.ts'
import { isCancelled, toAppError } from '#shared/errors.ts'
import { formatBytes, formatClock } from '#shared/format.ts'
import { inPlace } from '#shared/model/backup.ts'
import type { Site } from '#shared/model/site.ts'
import { utcDate } from '#shared/rotation.ts'
import type { LastNight } from './decide.ts'
import { proveNight, wantsProofs } from './proofs.ts'
import { nightlyBackups, type Standing, scheduleOf, standingOf } from './standing.ts'
import { changeNight, readNight } from './store.ts'

export interface NightOptions {
  now: () => Date
  /** Somebody wants it now, and sees what comes of it: delays don't count, failures are not told to the desktop. */
  asked: boolean
  /** True while the program ends: what is cancelled then is no failed night. */
  isEnding?: () => boolean
}

/** A night under way. */
export interface Night {
  site: string
  /** null: the backup was there already. */
  jobId: string | null
  /** Never rejects. */
  ended: Promise<NightEnd>
}

/** Whether a night asks for anything: a backup, to be written down as somebody else's, or its proofs. */
export function wantsAttention(site: Site, { decision, record }: Standing, now: Date): boolean {
  if (decision.state === 'due') return true
  if (decision.state !== 'made' || !decision.isNight) return false
  return record.last?.date !== utcDate(now) || wantsProofs(site, record, now)
}

/**
 * Does what a site's night needs now. One program at a time, and looked at again once it is ours: window and terminal
 * never make two.
 * @returns null when there is nothing to do, or another program is at it
 */
export async function startNight(context: EngineContext, name: string, options: NightOptions): Promise<Night | null> {
  const lock = await context.locks.tryAcquire(`night:${name}`)
  if (!lock) return null
  try {
    const site = await context.sites.get(name)
    const now = options.now()
    const standing = await standingOf(context, site, now, { asked: options.asked })
    if (!wantsAttention(site, standing, now)) {
      await lock.release()
      return null
    }
    if (standing.decision.state === 'made') {
      return { site: name, jobId: null, ended: endNight(context, name, lock, options, () => skipNight(context, site, now)) }
    }
    const job = startBackupOfNight(context, name, options)
    await changeNight(context, name, { running: job.id })
    context.emit({ type: 'schedule-changed' })
    return {
      site: name,
      jobId: job.id,
      ended: endNight(context, name, lock, options, () => outcomeOf(context, name, job, now, options)),
    }
  } catch (error) {
    await lock.release()
    throw error
  }
}

type JobResult = BackupResult | { skipped: string }

function startBackupOfNight(context: EngineContext, name: string, { now }: NightOptions): JobHandle<JobResult> {
  return context.jobs.start<JobResult>({
    kind: 'backup',
    title: `Nightly backup of ${name}`,
    site: name,
    holds: [`site:${name}`],
    run: (job) => backUpUnlessMade(context, job, name, now),
  })
}

/** Another job may have made tonight's while this one waited for its turn. */
async function backUpUnlessMade(context: EngineContext, job: JobContext, name: string, now: () => Date): Promise<JobResult> {
  const site = await context.sites.get(name)
  const { to, databaseOnly } = scheduleOf(site)
  const there = (await nightlyBackups(context, site, to)).find(({ made }) => utcDate(made) === utcDate(now()))
  if (!there) return makeBackup(context, job, { site: name, to, databaseOnly })
  const skipped = thereAlready(there)
  job.log(skipped)
  return { skipped }
}

function thereAlready({ name, made }: { name: string; made: Date }): string {
  return `${name} of ${formatClock(made)} UTC is there already.`
}

type BackupEnd = Omit<NightEnd, 'proofs'>

/** Proves backups once tonight's is there, and lets go of the night in any case. */
async function endNight(
  context: EngineContext,
  name: string,
  lock: Lock,
  options: NightOptions,
  end: () => Promise<BackupEnd>,
): Promise<NightEnd> {
  try {
    const ended = await end()
    context.emit({ type: 'schedule-changed' })
    const isThere = ended.outcome === 'made' || ended.outcome === 'skipped'
    return { ...ended, proofs: isThere ? await proveNight(context, name, options) : null }
  } catch (thrown) {
    context.log.error('the outcome of a night could not be kept', { site: name, error: thrown })
    const error = toAppError(thrown)
    return { site: name, outcome: 'failed', text: error.message, error: error.toData(), jobId: null, proofs: null }
  } finally {
    await lock.release()
    context.emit({ type: 'schedule-changed' })
  }
}

async function skipNight(context: EngineContext, site: Site, now: Date): Promise<BackupEnd> {
  const backups = await nightlyBackups(context, site, scheduleOf(site).to)
  const there = backups.find(({ made }) => utcDate(made) === utcDate(now))
  const text = there ? thereAlready(there) : 'It was made already.'
  const record = await readNight(context, site.name)
  // a night that we made ourselves only has its proofs to come
  if (record.last?.date === utcDate(now) && record.last.outcome !== 'failed') {
    return { site: site.name, outcome: record.last.outcome, text: record.last.text, error: null, jobId: null }
  }
  await changeNight(context, site.name, { last: { date: utcDate(now), at: now.toISOString(), outcome: 'skipped', text } })
  return { site: site.name, outcome: 'skipped', text, error: null, jobId: null }
}

async function outcomeOf(
  context: EngineContext,
  name: string,
  job: JobHandle<JobResult>,
  begun: Date,
  options: NightOptions,
): Promise<BackupEnd> {
  const date = utcDate(begun)
  const keep = (outcome: LastNight['outcome'], text: string, lastCode: string | null) =>
    changeNight(context, name, {
      running: null,
      lastCode,
      last: { date, at: options.now().toISOString(), outcome, text },
    })
  try {
    const result = await job.done
    const isSkipped = 'skipped' in result
    const text = isSkipped ? result.skipped : madeText(result)
    const outcome = isSkipped ? 'skipped' : 'made'
    await keep(outcome, text, null)
    return { site: name, outcome, text, error: null, jobId: job.id }
  } catch (thrown) {
    const error = toAppError(thrown)
    const cancelled = isCancelled(error)
    if (cancelled && options.isEnding?.()) await changeNight(context, name, { running: null })
    else await keep('failed', error.message, error.code)
    if (!cancelled && !options.asked) await tellOnce(context, name, date, `${error.message} ${error.hint}`.trim())
    return {
      site: name,
      outcome: cancelled ? 'cancelled' : 'failed',
      text: error.message,
      error: error.toData(),
      jobId: job.id,
    }
  }
}

/** A failed night is told once, not with each of its tries. */
async function tellOnce(context: EngineContext, name: string, date: string, text: string): Promise<void> {
  if ((await readNight(context, name)).toldOn === date) return
  await changeNight(context, name, { toldOn: date })
  context.notify({ site: name, title: `Nightly backup of ${name} failed`, text })
}

function madeText({ name, repository, parts }: BackupResult): string {
  const bytes = parts.reduce((sum, { size }) => sum + size, 0)
  return `${name} ${inPlace(repository)}, ${formatBytes(bytes)}.`
}
