import { readFile, rm } from 'node:fs/promises'
import { join, sep } from 'node:path'
import type { EngineContext } from '#engine/foundation/context.ts'
import { findEmbeddedBinaries } from '#engine/foundation/embedded-postgres/binaries.ts'
import {
  type Cluster,
  clusterDataFolder,
  clusterState,
  isStartedHere,
  startCluster,
  stopCluster,
} from '#engine/foundation/embedded-postgres/cluster.ts'
import { reapClusters } from '#engine/foundation/embedded-postgres/reap.ts'
import { folderBytes } from '#engine/foundation/files/folder-size.ts'
import type { JobContext, JobHandle } from '#engine/foundation/jobs/types.ts'
import type { DemoState } from '#shared/contract/demo.ts'
import { AppError } from '#shared/errors.ts'
import { formatBytes } from '#shared/format.ts'
import type { JobKind } from '#shared/model/job.ts'
import type { Site } from '#shared/model/site.ts'
import { confirmation } from './confirmation.ts'
import { SITE_NAME } from './content/site.ts'
import { clearAway, makeDemo } from './make.ts'
import { type DemoPlaces, demoPlaces, demoSite, isMade } from './places.ts'

/** Result of the jobs that leave the demo running. */
export interface DemoStarted {
  site: string
}

/** The demo keeps its passwords in files of its own (0600), since its database's is new with each demo. */
export function attachDemo(context: EngineContext): void {
  const { databasePasswordFile, encryptionPasswordFile } = demoPlaces(context.home)
  const files = new Map([
    [`site/${SITE_NAME}/database-password`, databasePasswordFile],
    [`site/${SITE_NAME}/encryption-password`, encryptionPasswordFile],
  ])
  context.secrets.addSource(async (name) => {
    const file = files.get(name)
    if (file === undefined) return null
    return readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
      if (error.code === 'ENOENT') return null
      throw error
    })
  })
}

/** Adopts a demo whose program died, deletes scratch databases of dead programs. For the engine's start. */
export async function reapEmbedded(context: EngineContext): Promise<void> {
  await reapClusters(context.home, demoPlaces(context.home).cluster, context.log)
}

/** When the window closes: stops a demo that it started. One that `zbd` started runs on until `zbd demo stop`. */
export async function closeDemo(context: EngineContext): Promise<void> {
  const { cluster } = demoPlaces(context.home)
  if (context.program === 'window' && (await isStartedHere(cluster, context.program))) await stopCluster(cluster)
}

export async function demoState(context: EngineContext): Promise<DemoState> {
  const places = demoPlaces(context.home)
  const state = (await isMade(places)) ? await clusterState(places.cluster) : 'absent'
  const available = findEmbeddedBinaries() !== null
  if (state === 'absent') return { state, site: SITE_NAME, bytes: null, available }
  return { state, site: SITE_NAME, bytes: await demoBytes(places), available }
}

/** Makes the demo the first time, else starts it; its site is in the settings afterwards. */
export function startDemo(context: EngineContext): JobHandle<DemoStarted> {
  return demoJob(context, 'demo-start', 'Opening the demo site', (job) => openDemo(context, job))
}

/** Stops the demo's database; nothing is lost. */
export function stopDemo(context: EngineContext): JobHandle<DemoStarted> {
  return demoJob(context, 'demo-stop', 'Stopping the demo site', async (job) => {
    job.phase('Stopping PostgreSQL', null, 'steps')
    await stopCluster(demoPlaces(context.home).cluster)
    return { site: SITE_NAME }
  })
}

/** Makes the demo anew, as on the first day; its vault goes too. null: it was not confirmed. */
export async function resetDemo(context: EngineContext): Promise<JobHandle<DemoStarted> | null> {
  if (!(await context.confirm(confirmation('reset', await removedPlaces(context))))) return null
  return demoJob(context, 'demo-reset', 'Resetting the demo site', async (job) => {
    await removeEverything(context, job)
    return openDemo(context, job)
  })
}

/** Removes the demo with all that belongs to it. null: it was not confirmed. */
export async function removeDemo(context: EngineContext): Promise<JobHandle<DemoStarted> | null> {
  if (!(await context.confirm(confirmation('remove', await removedPlaces(context))))) return null
  return demoJob(context, 'demo-remove', 'Removing the demo site', async (job) => {
    await removeEverything(context, job)
    return { site: SITE_NAME }
  })
}

function demoJob(
  context: EngineContext,
  kind: JobKind,
  title: string,
  run: (job: JobContext) => Promise<DemoStarted>,
): JobHandle<DemoStarted> {
  return context.jobs.start({ kind, title, site: SITE_NAME, holds: [`site:${SITE_NAME}`], run })
}

async function openDemo(context: EngineContext, job: JobContext): Promise<DemoStarted> {
  const places = demoPlaces(context.home)
  await refuseForeignSite(context, places)
  const begun = Date.now()
  // a system that cleans its temporary folder may have taken the database of a root's demo
  const isWhole = (await isMade(places)) && (await clusterState(places.cluster)) !== 'absent'
  const show = async ({ port }: { port: number }) => {
    await settle(context, demoSite(places, port))
    job.log(`The demo site is there after ${((Date.now() - begun) / 1000).toFixed(1)} s, in ${places.root}.`)
  }
  if (isWhole) await show(await startAgain(context, job, places))
  else await makeAnew(context, job, places, show)
  return { site: SITE_NAME }
}

async function makeAnew(
  context: EngineContext,
  job: JobContext,
  places: DemoPlaces,
  show: (cluster: Cluster) => Promise<void>,
): Promise<void> {
  try {
    await makeDemo(context, job, places, show)
  } catch (error) {
    // it may have been shown already, and now nothing is behind it
    const present = await presentSite(context)
    if (present && isDemoSite(present, places)) await context.sites.remove(SITE_NAME)
    throw error
  }
}

function startAgain(context: EngineContext, job: JobContext, places: DemoPlaces) {
  job.phase('Starting PostgreSQL', null, 'steps')
  const { program } = context
  return startCluster({ folder: places.cluster, purpose: 'demo', program, signal: job.signal, onStep: (text) => job.log(text) })
}

/** @throws AppError `demo-name-taken`: an operator's own site of that name is never touched */
async function refuseForeignSite(context: EngineContext, places: DemoPlaces): Promise<void> {
  const present = await presentSite(context)
  if (!present || isDemoSite(present, places)) return
  throw new AppError(
    'demo-name-taken',
    `There is a site "${SITE_NAME}" of your own. It was left as it is, and the demo was not opened.`,
    {
      hint: 'Remove that site from the settings, or add it under another name, then open the demo again.',
      details: { site: SITE_NAME },
    },
  )
}

function isDemoSite(site: Site, places: DemoPlaces): boolean {
  return site.server?.siteDir === places.siteDir
}

async function presentSite(context: EngineContext): Promise<Site | null> {
  try {
    return await context.sites.get(SITE_NAME)
  } catch (error) {
    if (error instanceof AppError && error.code === 'unknown-site') return null
    throw error
  }
}

/** Puts the site into the settings, or its new port; what the operator changed there stays. */
async function settle(context: EngineContext, site: Site): Promise<void> {
  const present = await presentSite(context)
  if (!present) await context.sites.add(site)
  else if (present.database.port !== site.database.port) await context.sites.update({ ...present, database: site.database })
}

async function removeEverything(context: EngineContext, job: JobContext): Promise<void> {
  const places = demoPlaces(context.home)
  await refuseForeignSite(context, places)
  job.phase('Removing database and folders', null, 'steps')
  const present = await presentSite(context)
  const vault = present ? context.sites.vaultPath(present) : join(context.home.vaults, SITE_NAME)
  if (present) await context.sites.remove(SITE_NAME)
  await clearAway(places)
  // a vault that the operator moved elsewhere may hold other things
  if (vault.startsWith(context.home.vaults + sep)) await rm(vault, { recursive: true, force: true })
  else job.log(`Its vault in ${vault} was left there.`)
  await rm(join(context.home.proof, `${SITE_NAME}.json`), { force: true })
}

async function removedPlaces(context: EngineContext): Promise<{ folder: string; vault: string; size: string }> {
  const places = demoPlaces(context.home)
  const present = await presentSite(context)
  const vault = present ? context.sites.vaultPath(present) : join(context.home.vaults, SITE_NAME)
  return { folder: places.root, vault, size: formatBytes(await demoBytes(places)) }
}

async function demoBytes(places: DemoPlaces): Promise<number> {
  const data = await clusterDataFolder(places.cluster)
  const elsewhere = data !== null && !data.startsWith(places.root + sep) ? await folderBytes(data) : 0
  return (await folderBytes(places.root)) + elsewhere
}
