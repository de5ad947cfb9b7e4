import { randomUUID } from 'node:crypto'
import { connectPostgres } from '#engine/foundation/connections/postgres.ts'
import type { EngineContext } from '#engine/foundation/context.ts'
import type { JobContext, JobHandle } from '#engine/foundation/jobs/types.ts'
import { hashOf, PLAN_LIFE_MS } from '#engine/foundation/plans/plan-shelf.ts'
import type { PlanCheck, WayBackPlan } from '#shared/model/plan.ts'
import type { Site } from '#shared/model/site.ts'
import { measureUndo } from '../files/undo-journal.ts'
import { type LiveDatabase, readLive } from '../live.ts'
import { keptName } from '../plan/kept-name.ts'
import { editsSince, rowChanges } from '../plan/row-changes.ts'
import { holdsForPlan, recoverBeforePlan } from '../recover.ts'
import { restartStep } from '../restart.ts'
import { siteFolders } from '../site-folders.ts'
import { findKept, type KeptFacts } from './list-kept.ts'
import { readOutsideDependents } from './outside-dependents.ts'
import { readUndoFolders, type UndoFolder } from './undo-folders.ts'
import * as checks from './way-back-checks.ts'
import { describeWayBack, wayBackPlans } from './way-back-plan.ts'

export interface WayBackRequest {
  site: string
  /** Id of the kept state. */
  kept: string
}

/**
 * Makes the plan of going back to a kept state, or of deleting one, as a job that changes nothing.
 * @throws AppError of the job: `unknown-kept`, `database-…`, `files-unreachable`, `cancelled`
 */
export async function startWayBackPlan(
  context: EngineContext,
  kind: WayBackPlan['kind'],
  request: WayBackRequest,
): Promise<JobHandle<{ planId: string }>> {
  const site = await context.sites.get(request.site)
  return context.jobs.start({
    kind: 'way-back-plan',
    title: kind === 'undo' ? `Planning to take ${site.name} back` : `Planning to delete what is kept of ${site.name}`,
    site: site.name,
    holds: await holdsForPlan(context, site),
    run: (job) => makePlan(context, job, site, kind, request.kept),
  })
}

async function makePlan(
  context: EngineContext,
  job: JobContext,
  site: Site,
  kind: WayBackPlan['kind'],
  id: string,
): Promise<{ planId: string }> {
  await recoverBeforePlan(context, job, site)
  job.phase('Looking at what is kept')
  const kept = await findKept(context, site, id, job.signal)
  const createdAt = new Date()
  const looked =
    kind === 'undo' ? await lookForUndo(context, job, site, kept, createdAt) : await lookForDrop(context, job, site, kept)
  job.signal.throwIfAborted()
  const facts: Omit<WayBackPlan, 'id' | 'sha256' | 'steps' | 'wayBack'> = {
    kind,
    createdAt: createdAt.toISOString(),
    expiresAt: new Date(createdAt.getTime() + PLAN_LIFE_MS).toISOString(),
    site: site.name,
    kept: kept.state,
    keptSchema: looked.keptSchema,
    tables: looked.tables,
    checks: looked.checks,
    runnable: looked.checks.every(({ outcome }) => outcome !== 'failed'),
  }
  const preconditions = { settings: hashOf(site), liveOid: looked.liveOid }
  const plan: WayBackPlan = {
    id: randomUUID(),
    sha256: hashOf({ facts, preconditions, oid: kept.schema?.oid ?? null }),
    ...facts,
    ...describeWayBack(facts, restartStep(site)),
  }
  wayBackPlans.keep(context, { plan, ...preconditions, kept, isUsed: false })
  return { planId: plan.id }
}

interface Looked {
  keptSchema: string | null
  liveOid: number | null
  tables: WayBackPlan['tables']
  checks: PlanCheck[]
}

async function lookForUndo(context: EngineContext, job: JobContext, site: Site, kept: KeptFacts, at: Date): Promise<Looked> {
  const found: PlanCheck[] = []
  let looked: Omit<Looked, 'checks'> = { keptSchema: null, liveOid: null, tables: [] }
  let edits: number | null = null
  if (kept.schema) {
    const { schema } = site.database
    const newName = keptName(schema, at)
    const live = await readSchema(context, job, site, schema, [newName])
    const then = await readSchema(context, job, site, kept.schema.name, [])
    const tables = rowChanges(live.tables, then.tables)
    looked = { keptSchema: live.schemaOid === null ? null : newName, liveOid: live.schemaOid, tables }
    edits = editsSince(tables)
    found.push(
      checks.keptThereCheck(kept.state),
      checks.swapRightsCheck(live, then),
      checks.newNameCheck(newName, live.schemas.has(newName)),
      checks.extensionsStayCheck(live, then),
      checks.dependentsStayCheck(live.schemaOid === null ? [] : await dependentsOf(context, site, live.schemaOid)),
    )
  }
  const folders = kept.folder ? await siteFolders(context, site, job.signal) : null
  if (kept.folder && folders) {
    found.push(checks.filesThereCheck(await measureUndo(folders, kept.folder.job)))
    const later = laterChanges(await readUndoFolders(folders, site.name), kept.folder)
    if (later.length > 0) found.push(checks.laterChangesCheck(later))
  }
  found.push(checks.writtenSinceCheck(kept.state, edits))
  return { ...looked, checks: found }
}

async function lookForDrop(context: EngineContext, job: JobContext, site: Site, kept: KeptFacts): Promise<Looked> {
  const found: PlanCheck[] = []
  let tables: WayBackPlan['tables'] = []
  if (kept.schema) {
    const then = await readSchema(context, job, site, kept.schema.name, [])
    tables = [...then.tables].map(([table, { rows }]) => ({ table, rowsNow: null, rowsThen: rows }))
    found.push(
      checks.keptThereCheck(kept.state),
      checks.dropRightsCheck(then, kept.schema.name),
      checks.noDependentsCheck(await dependentsOf(context, site, kept.schema.oid)),
    )
  }
  found.push(checks.noWayBackCheck(kept.state))
  return { keptSchema: null, liveOid: null, tables, checks: found }
}

async function readSchema(
  context: EngineContext,
  job: JobContext,
  site: Site,
  schema: string,
  askedSchemas: string[],
): Promise<LiveDatabase> {
  job.phase(`Counting the rows of ${schema}`, null, 'steps')
  return readLive(await context.sites.connection(site), schema, {
    askedSchemas,
    signal: job.signal,
    onTable: (_name, _at, of) => {
      job.setTotal(of)
      job.advance(1)
    },
  })
}

async function dependentsOf(context: EngineContext, site: Site, oid: number): Promise<string[]> {
  const client = await connectPostgres(await context.sites.connection(site))
  try {
    return await readOutsideDependents(client, oid)
  } finally {
    await client.end()
  }
}

/** Changes of files after those of a folder, which going back to it alone does not take back. */
function laterChanges(folders: readonly UndoFolder[], folder: UndoFolder): UndoFolder[] {
  // what was taken back since, of a job that came later still, is as if it had not been
  return folders.filter(({ job, undoes }) => job > folder.job && !(undoes !== null && undoes > folder.job))
}
