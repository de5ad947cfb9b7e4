import { pinBackup } from '#engine/features/backup/index.ts'
import type { EngineContext } from '#engine/foundation/context.ts'
import type { JobContext } from '#engine/foundation/jobs/types.ts'
import { hashOf, outdated } from '#engine/foundation/plans/plan-shelf.ts'
import { openRepository } from '#engine/foundation/repository/open.ts'
import type { Patience } from '#engine/foundation/repository/repeating.ts'
import { isSameBackup, type PartExaminer, transferBackup } from '#engine/foundation/repository/transfer.ts'
import type { IndexEntry, Repository } from '#engine/foundation/repository/types.ts'
import { sharedLimit } from '#engine/foundation/shared-limit.ts'
import { isCancelled, toAppError } from '#shared/errors.ts'
import { formatBytes, formatDuration, formatPlural } from '#shared/format.ts'
import type { PartKind, RepositoryName } from '#shared/model/backup.ts'
import type { Site } from '#shared/model/site.ts'
import type { TransferItem, TransferResult, Transferred } from '#shared/model/transfer.ts'
import { compareBackup, readContents } from './compare.ts'
import { deletePlanned } from './delete-planned.ts'
import { confirmationOf, PLACE_WORDS, toCopy, toMark } from './describe-plan.ts'
import { openExaminer } from './examiner.ts'
import { type IsInFilestore, markUploaded, readIsInFilestore } from './filestore-facts.ts'
import { type StoredTransferPlan, transferPlans } from './stored-plan.ts'
import { type TransferFailure, transferIncomplete } from './transfer-incomplete.ts'

/**
 * Asks the shell to confirm a plan, if it needs that, and starts it as a job whose result is a {@link TransferResult}.
 * @returns the job's id; null: not confirmed, nothing done
 * @throws AppError `plan-unknown`, `plan-used`, `plan-expired`, `plan-not-runnable`
 */
export async function startTransfer(
  context: EngineContext,
  planId: string,
  options: { patience?: Patience } = {},
): Promise<string | null> {
  const site = await context.sites.get(transferPlans.get(context, planId).plan.site)
  const stored = await transferPlans.confirmed(context, planId, confirmationOf)
  if (!stored) return null
  const { from, to } = stored.plan
  const handle = context.jobs.start({
    kind: 'transfer',
    title: `Copying backups of ${site.name} from ${PLACE_WORDS[from]} to ${PLACE_WORDS[to]}`,
    site: site.name,
    holds: [`site:${site.name}`],
    run: (job) => new TransferRun(context, job, site, stored, options).run(),
  })
  // whoever wants to know follows the job
  handle.done.catch(() => {})
  return handle.id
}

/** What all backups of a run need. */
interface Sides {
  from: Repository
  to: Repository
  examiner: PartExaminer
  isInFilestore: IsInFilestore
}

class TransferRun {
  readonly #context: EngineContext
  readonly #job: JobContext
  readonly #site: Site
  readonly #stored: StoredTransferPlan
  readonly #options: { patience?: Patience }
  readonly #done: Transferred[] = []
  #failures: TransferFailure[] = []

  constructor(context: EngineContext, job: JobContext, site: Site, stored: StoredTransferPlan, options: { patience?: Patience }) {
    this.#context = context
    this.#job = job
    this.#site = site
    this.#stored = stored
    this.#options = options
  }

  async run(): Promise<TransferResult> {
    const started = performance.now()
    const job = this.#job
    const { plan, settings } = this.#stored
    if (hashOf(await this.#context.sites.get(plan.site)) !== settings) {
      throw outdated('the site’s settings have changed. Nothing was changed')
    }
    const note = (text: string) => job.log(text)
    const sides: Sides = {
      from: await openRepository(this.#context, this.#site, plan.from, job.signal),
      to: await openRepository(this.#context, this.#site, plan.to, job.signal),
      examiner: await openExaminer(this.#context, plan.site, note),
      isInFilestore: await readIsInFilestore(this.#context, this.#site, plan, note),
    }
    const items = toCopy(plan)
    for (const { name, timestamp, bytes, storedBytes } of items) {
      job.item(name, { name, total: bytes, done: storedBytes, state: 'waiting', facts: { timestamp, to: plan.to } })
    }
    for (const { name, timestamp } of toMark(plan)) {
      job.item(name, {
        name,
        detail: 'to be noted in the index of the source',
        state: 'waiting',
        facts: { timestamp, to: plan.to },
      })
    }
    for (const { name } of plan.deletions) job.item(name, { name, detail: 'to be deleted', state: 'waiting' })
    job.phase(`Copying to ${PLACE_WORDS[plan.to]}`, plan.bytes, 'bytes')
    for (const item of plan.items.filter(({ action }) => action === 'same')) await this.#leave(item, sides)
    for (const item of items) await this.#copy(item, sides)
    if (plan.deletions.length > 0) await this.#deleteAll(sides)
    const result: TransferResult = {
      from: plan.from,
      to: plan.to,
      backups: this.#done,
      bytes: this.#done.reduce((sum, { bytes }) => sum + bytes, 0),
      seconds: (performance.now() - started) / 1000,
    }
    if (this.#failures.length > 0) throw transferIncomplete(this.#stored.plan, this.#failures, result)
    return result
  }

  async #copy(item: TransferItem, sides: Sides): Promise<void> {
    const job = this.#job
    const { name } = item
    let sent = 0
    job.item(name, { state: 'running', detail: '' })
    const notes: string[] = []
    const onNote = (text: string) => {
      notes.push(text)
      job.log(text)
      job.item(name, { detail: text })
    }
    const started = performance.now()
    try {
      const entry = await this.#assertAsPlanned(item, sides)
      if (entry === null) {
        this.#end(item, 'same', 'It is there by now.', 0)
        job.item(name, { state: 'done', detail: 'it is there by now', done: item.bytes })
        return
      }
      if (item.displaces) await this.#keepOther(item)
      const positions = new Map<PartKind, number>()
      const sentOf = new Map<PartKind, number>()
      const { bytes } = await transferBackup({
        from: sides.from,
        to: sides.to,
        name,
        entry,
        isFilestoreUploaded: sides.isInFilestore(name, entry),
        limit: sharedLimit(this.#context),
        examiner: sides.examiner,
        signal: job.signal,
        freesFullDisk: this.#stored.plan.to !== 'vault',
        mends: item.mends || item.displaces,
        onProgress: (kind, position, sentNow) => {
          positions.set(kind, position)
          // what is skipped at the target takes it back
          job.advance(Math.max(0, sentNow - (sentOf.get(kind) ?? 0)))
          sentOf.set(kind, sentNow)
          sent = sum(sentOf.values())
          job.item(name, { done: sum(positions.values()) })
        },
        onNote,
        ...(this.#options.patience ? { patience: this.#options.patience } : {}),
      })
      if (this.#stored.plan.to === 'filestore') await this.#markSource(sides.from, name, entry, onNote)
      const seconds = (performance.now() - started) / 1000
      const text = `${formatBytes(bytes)} in ${formatDuration(seconds)}`
      this.#end(item, 'copied', [text, ...notes.map((note) => note.replace(/\.$/, ''))].join('. '), bytes)
      job.item(name, { state: 'done', detail: notes.at(-1) ?? text, done: item.bytes })
      job.log(`${name} is in ${sides.to.place}: ${text}.`)
      this.#context.emit({ type: 'backups-changed', site: this.#site.name })
    } catch (error) {
      this.#failed(item, error, sent)
    }
  }

  /** What is there already; the source's index learns it where it does not say so. */
  async #leave(item: TransferItem, sides: Sides): Promise<void> {
    if (!item.marks) {
      this.#end(item, 'same', item.reason, 0)
      return
    }
    try {
      const entry = await this.#assertAsPlanned(item, sides)
      if (entry) await this.#mark(sides.from, item.name, entry)
      const text = `The index of ${sides.from.place} says now that the filestore has it`
      this.#end(item, 'same', `${text}.`, 0)
      this.#job.item(item.name, { state: 'done', detail: text })
    } catch (error) {
      this.#failed(item, error, 0)
    }
  }

  /**
   * What the plan stands on must still be so.
   * @returns the source's entry; null: somebody else has put it there meanwhile
   * @throws AppError `plan-outdated`
   */
  async #assertAsPlanned({ name, mends, displaces }: TransferItem, { from, to }: Sides): Promise<IndexEntry | null> {
    const planned = this.#stored.backups.get(name)
    const entry = (await from.readIndex()).get(name)
    if (!planned || !entry || !isSameBackup(entry, planned.entry)) throw outdated(`${name} of ${from.place} was replaced`)
    const present = (await to.readIndex()).get(name)?.timestamp ?? null
    if (present === planned.present) {
      const isSame = (mends || displaces) && (await this.#isSameByNow(name, entry, displaces))
      return isSame ? null : entry
    }
    if (present === entry.timestamp) return null
    throw outdated(`another backup came into ${name} of ${to.place}`)
  }

  /** Another program may have put it in place meanwhile. @throws AppError `plan-outdated` */
  async #isSameByNow(name: string, entry: IndexEntry, replaceOther: boolean): Promise<boolean> {
    const { from, to } = this.#stored.plan
    const read = (place: RepositoryName) => readContents(this.#context, this.#site, place, this.#job.signal)
    const sides = { source: await read(from), target: await read(to), replaceOther }
    const { item } = await compareBackup(this.#site.name, to, name, entry, sides)
    if (item.action === 'refused') throw outdated(`${name} was changed: ${item.reason.replace(/\.$/, '')}`)
    return item.action === 'same'
  }

  /** What another backup takes the place of stays in the vault, outside of the rotation. */
  async #keepOther({ name, timestamp }: TransferItem): Promise<void> {
    const job = this.#job
    const { plan } = this.#stored
    const { name: kept } = await pinBackup(
      this.#context,
      // the items of a transfer are its backups
      { ...job, item: () => {} },
      { site: plan.site, name, timestamp, from: plan.to },
    )
    job.log(`${name} of ${PLACE_WORDS[plan.to]} is kept in the vault as ${kept}.`)
    job.phase(`Copying to ${PLACE_WORDS[plan.to]}`, plan.bytes, 'bytes')
  }

  /** A flag that could not be set is told, and nothing is lost by it. */
  async #markSource(from: Repository, name: string, entry: IndexEntry, onNote: (text: string) => void): Promise<void> {
    if (entry.is_filestore_uploaded === true) return
    try {
      await this.#mark(from, name, entry)
    } catch (error) {
      onNote(`The index of ${from.place} does not say that ${name} is in the filestore now: ${toAppError(error).message}`)
    }
  }

  async #mark(from: Repository, name: string, entry: IndexEntry): Promise<void> {
    await markUploaded(from, name, entry, this.#job.signal)
    this.#context.emit({ type: 'backups-changed', site: this.#site.name })
  }

  async #deleteAll({ from, to }: Sides): Promise<void> {
    const job = this.#job
    const { deletions } = this.#stored.plan
    if (this.#failures.length > 0) {
      for (const deletion of deletions) {
        this.#end(deletion, 'failed', 'Not deleted, since a backup could not be copied.', 0)
        job.item(deletion.name, { state: 'skipped', detail: 'not deleted, since a backup could not be copied' })
      }
      return
    }
    job.phase(`Deleting from ${PLACE_WORDS[this.#stored.plan.to]}`, deletions.length, 'steps')
    for (const deletion of deletions) {
      try {
        job.item(deletion.name, { state: 'running' })
        await deletePlanned(deletion, { from, to }, job.signal)
        this.#end(deletion, 'deleted', `${formatPlural(deletion.files.length, 'file')}, ${formatBytes(deletion.bytes)}`, 0)
        job.item(deletion.name, { state: 'done', detail: 'deleted' })
        job.log(`Deleted ${deletion.name} of ${deletion.timestamp} from ${to.place}.`)
        job.advance(1)
        this.#context.emit({ type: 'backups-changed', site: this.#site.name })
      } catch (error) {
        this.#failed(deletion, error, 0)
      }
    }
  }

  #end(
    { name, timestamp }: { name: string; timestamp: string },
    outcome: Transferred['outcome'],
    text: string,
    bytes: number,
  ): void {
    this.#done.push({ name, timestamp, outcome, text, bytes })
  }

  /** The others are tried all the same. @throws when it was cancelled */
  #failed(item: { name: string; timestamp: string }, error: unknown, bytes: number): void {
    if (isCancelled(error) || this.#job.signal.aborted) throw error
    const failure = toAppError(error)
    this.#failures = [...this.#failures, { name: item.name, error: failure }]
    this.#end(item, 'failed', failure.message, bytes)
    this.#job.item(item.name, { state: 'failed', detail: failure.message })
    this.#job.log(`${item.name}: ${failure.message}`)
  }
}

function sum(values: Iterable<number>): number {
  let total = 0
  for (const value of values) total += value
  return total
}
