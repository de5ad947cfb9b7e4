import { randomUUID } from 'node:crypto'
import type { EngineContext } from '#engine/foundation/context.ts'
import type { JobContext, JobHandle } from '#engine/foundation/jobs/types.ts'
import { hashOf, PLAN_LIFE_MS } from '#engine/foundation/plans/plan-shelf.ts'
import { showName } from '#engine/foundation/repository/names.ts'
import { incomingSlot } from '#engine/foundation/repository/transfer.ts'
import type { IndexEntry } from '#engine/foundation/repository/types.ts'
import { AppError } from '#shared/errors.ts'
import type { RepositoryName } from '#shared/model/backup.ts'
import type { PlanCheck } from '#shared/model/plan.ts'
import type { Site } from '#shared/model/site.ts'
import type { TransferPlan } from '#shared/model/transfer.ts'
import { slotOf } from '#shared/rotation.ts'
import * as checks from './checks.ts'
import { type ComparedItem, type Contents, compareBackup, newestFirst, readContents, slotsToDelete } from './compare.ts'
import { PLACE_WORDS, toCopy, toMark } from './describe-plan.ts'
import { passwordsCheck } from './passwords-check.ts'
import { readAhead, readFree } from './server-facts.ts'
import { transferPlans } from './stored-plan.ts'

interface Direction {
  from: RepositoryName
  to: RepositoryName
}

export interface TransferRequest extends Direction {
  site: string
  /** NAMEs; default: every rotation slot of the source. */
  names?: string[] | undefined
  /** ISO UTC; with one name: only the backup of that moment. */
  timestamp?: string | undefined
  /** Only this many, the newest. */
  newest?: number | undefined
  deleteOthers?: boolean
  /** With one name: takes the place of another backup of the same moment too. */
  replaceOther?: boolean
}

/**
 * Compares two repositories of a site, as a job that changes nothing. What speaks against the transfer is a failed check
 * of the plan, what speaks against one backup a refused item.
 * @throws AppError `wrong-request`; of the job: `unknown-backup`, `index-corrupt`, `cancelled`, those of the connections
 */
export async function startTransferPlan(
  context: EngineContext,
  request: TransferRequest,
): Promise<JobHandle<{ planId: string }>> {
  const site = await context.sites.get(request.site)
  assertSensible(request)
  return context.jobs.start({
    kind: 'transfer-plan',
    title: `Comparing ${PLACE_WORDS[request.from]} and ${PLACE_WORDS[request.to]} of ${site.name}`,
    site: site.name,
    holds: [`site:${site.name}`],
    run: (job) => makePlan(context, job, site, request),
  })
}

/** @throws AppError `plan-unknown` */
export function transferPlanOf(context: EngineContext, planId: string): TransferPlan {
  return transferPlans.get(context, planId).plan
}

async function makePlan(
  context: EngineContext,
  job: JobContext,
  site: Site,
  request: TransferRequest,
): Promise<{ planId: string }> {
  const { from, to, deleteOthers = false, replaceOther } = request
  const { signal } = job
  job.phase(`Reading ${PLACE_WORDS[from]}`, null, 'files')
  const source = await readContents(context, site, from, signal)
  job.phase(`Reading ${PLACE_WORDS[to]}`, null, 'files')
  const target = await readContents(context, site, to, signal)
  const compared: ComparedItem[] = []
  for (const [name, entry] of wantedBackups(source, request)) {
    compared.push(await compareBackup(site.name, to, name, entry, { source, target, replaceOther }))
  }
  const deletions = deleteOthers ? slotsToDelete(site.name, { source, target }) : []
  job.phase('Checking', null, 'steps')
  const { lease, check: leaseCheck } = await checks.tryLease(target.repository, signal)
  try {
    if (lease) await findStored(compared, source, target)
  } finally {
    await lease?.release()
  }
  const items = compared.map(({ item }) => item)
  const passwords = await passwordsCheck(context, site.name, { from: source.repository, compared, signal })
  const bytes = toCopy({ items }).reduce((sum, item) => sum + item.bytes - item.storedBytes, 0)
  const rotation = [...source.index.keys()].filter((name) => slotOf(site.name, name) !== null)
  const found: PlanCheck[] = [
    checks.sourceCheck(source.repository.place, source.index.size, source.problems),
    leaseCheck,
    ...(await placeChecks(context, site, { from, to, source, target, bytes }, signal)),
    ...(to === 'vault' && deletions.length === 0 && items.length === 1
      ? []
      : [checks.slotsCheck(site.name, { from, to }, { source: source.index, target: target.index })]),
    ...(passwords === null ? [] : [passwords]),
    ...(deletions.length === 0 ? [] : [checks.deletionCheck(deletions.length, rotation.length === 0)]),
  ]
  signal.throwIfAborted()
  const createdAt = new Date()
  const facts: Omit<TransferPlan, 'id' | 'sha256'> = {
    createdAt: createdAt.toISOString(),
    expiresAt: new Date(createdAt.getTime() + PLAN_LIFE_MS).toISOString(),
    site: site.name,
    from,
    to,
    fromPlace: source.repository.place,
    toPlace: target.repository.place,
    items,
    deletions,
    bytes,
    checks: found,
    needsConfirmation: to !== 'vault' || deletions.length > 0 || items.some(({ displaces }) => displaces),
    runnable:
      found.every(({ outcome }) => outcome !== 'failed') &&
      (toCopy({ items }).length > 0 || toMark({ items }).length > 0 || deletions.length > 0),
  }
  const backups = new Map(compared.map(({ item, entry, present }) => [item.name, { entry, present }]))
  const settings = hashOf(site)
  const plan: TransferPlan = { id: randomUUID(), sha256: hashOf({ facts, settings, backups: [...backups] }), ...facts }
  transferPlans.keep(context, { plan, settings, backups, isUsed: false })
  return { planId: plan.id }
}

/** The newest first. @throws AppError `unknown-backup` */
function wantedBackups(
  { repository, index }: Contents,
  { site, names, timestamp, newest }: TransferRequest,
): [string, IndexEntry][] {
  const wanted = [...index].filter(([name]) => (names ? names.includes(name) : slotOf(site, name) !== null)).sort(newestFirst)
  const seconds = timestamp === undefined ? null : Math.floor(Date.parse(timestamp) / 1000)
  for (const name of names ?? []) {
    const entry = index.get(name)
    if (entry && (seconds === null || entry.timestamp === seconds)) continue
    const which = entry ? `${showName(name)} of that moment` : showName(name)
    throw new AppError('unknown-backup', `There is no backup ${which} in ${repository.place}. Nothing was changed.`, {
      hint: 'See the list of backups. Its slot may hold a newer one by now.',
      details: { name: name.slice(0, 200) },
    })
  }
  return wanted.slice(0, newest)
}

/** What earlier tries have stored need not be copied again. */
async function findStored(compared: readonly ComparedItem[], source: Contents, target: Contents): Promise<void> {
  for (const { item, entry, source: backup } of compared) {
    if (item.action !== 'copy' || !backup) continue
    const incoming = { from: source.repository, name: item.name, entry, isFilestoreUploaded: false }
    const slot = await target.repository.openSlot(incomingSlot(incoming, backup))
    let stored = 0
    for (const { kind, facts } of backup.parts) stored += Math.min(facts.size, await slot.storedBytes(kind))
    if (stored === 0) continue
    item.action = 'resume'
    item.storedBytes = stored
    const goesOn = 'An interrupted copy of it goes on.'
    item.reason = item.mends || item.displaces ? `${goesOn} ${item.reason}` : goesOn
  }
}

async function placeChecks(
  context: EngineContext,
  site: Site,
  { from, to, source, target, bytes }: Direction & { source: Contents; target: Contents; bytes: number },
  signal: AbortSignal,
): Promise<PlanCheck[]> {
  const { repository } = target
  // a bucket has no size
  const space =
    repository.kind === 's3'
      ? []
      : [checks.spaceCheck(repository.place, bytes, await readFree(context, site, repository, signal))]
  const clocks: PlanCheck[] = []
  for (const [side, at] of [
    [from, source.repository],
    [to, repository],
  ] as const) {
    const ahead = await readAhead(context, site, side, at, signal)
    if (ahead !== null) clocks.push(checks.clockCheck(side, ahead))
  }
  return [...space, ...clocks]
}

/** @throws AppError `wrong-request` */
function assertSensible({ from, to, names, timestamp, deleteOthers, replaceOther }: TransferRequest): void {
  const problem =
    from === to
      ? `${PLACE_WORDS[from]} can’t be copied to itself`
      : timestamp !== undefined && names?.length !== 1
        ? 'a moment needs the name of one backup'
        : timestamp !== undefined && Number.isNaN(Date.parse(timestamp))
          ? 'the moment is no date and time'
          : replaceOther && names?.length !== 1
            ? 'another backup of the same moment is only replaced by one that is named'
            : deleteOthers && names !== undefined
              ? 'others are only deleted when all of the source is brought in step'
              : null
  if (problem === null) return
  throw new AppError('wrong-request', `Nothing was compared or changed: ${problem}.`, { hint: 'Ask for something else.' })
}
