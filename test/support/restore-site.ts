import { createHash } from 'node:crypto'
import { lstat, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { planOf, type RestorePlanRequest, startRestore, startRestorePlan } from '#engine/features/restore/index.ts'
import type { EngineContext } from '#engine/foundation/context.ts'
import type { Job } from '#shared/model/job.ts'
import type { RestorePlan } from '#shared/model/plan.ts'
import { layOutServerFolder, type ServerFolder, siteInput } from './backup-site.ts'
import { openTestContext, type TestContext } from './engine-context.ts'
import { fixture } from './fixtures.ts'
import type { Postgres15 } from './postgres.ts'

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')

/** Puts a backup `testsite-1` into a folder, as a server would. */
export async function putBackup(
  folder: string,
  parts: { database?: Buffer; files?: Buffer; config?: Buffer },
  timestamp = 1_795_398_932,
): Promise<void> {
  const entry: Record<string, unknown> = { timestamp, is_encrypted: false, is_filestore_uploaded: false }
  if (parts.database) {
    await writeFile(join(folder, 'testsite-1.sql.gz'), parts.database)
    Object.assign(entry, { database: 'testsite-1.sql.gz', database_hash: sha256(parts.database) })
  }
  if (parts.files) {
    await writeFile(join(folder, 'testsite-1.tar.gz'), parts.files)
    Object.assign(entry, { files: 'testsite-1.tar.gz', files_hash: sha256(parts.files) })
  }
  if (parts.config) {
    await writeFile(join(folder, 'config-testsite-1.tar.gz'), parts.config)
    Object.assign(entry, { config_files: 'config-testsite-1.tar.gz', config_files_hash: sha256(parts.config) })
  }
  await writeFile(join(folder, 'backup.json'), JSON.stringify({ 'testsite-1': entry }))
}

/** A site that lives, with server folders, settings and an engine of its own. */
export interface LiveSite {
  root: string
  server: ServerFolder
  test: TestContext
  close(): Promise<void>
}

/** Loads a dump of the fixtures into a fresh database. */
export async function createDatabaseFrom(postgres: Postgres15, database: string, ...dump: string[]): Promise<void> {
  await postgres.createDatabase(database)
  await postgres.psql(database, { file: fixture(...dump) }, 'zotonic')
}

/** Makes the site `testsite` with a copy of a database and the fixture's folders. */
export async function openLiveSite(postgres: Postgres15, database: string, template: string): Promise<LiveSite> {
  await postgres.psql('postgres', `CREATE DATABASE ${database} TEMPLATE ${template} OWNER zotonic`)
  const root = await mkdtemp(join(tmpdir(), `backup-desk-${database}-`))
  const server = await layOutServerFolder(root)
  const test = await openTestContext(join(root, 'home'), { secrets: { 'site/testsite/database-password': postgres.password } })
  await test.context.sites.add(siteInput(database, postgres, server))
  return {
    root,
    server,
    test,
    async close() {
      await test.close()
      await rm(root, { recursive: true, force: true })
    },
  }
}

/** The media of a site, by path. */
export async function mediaFiles({ archiveDir }: ServerFolder): Promise<string[]> {
  const names = await readdir(archiveDir, { recursive: true, withFileTypes: true })
  return names
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
}

/** Every file and folder below a folder with its content, mode and time; one text to compare. */
export async function treeOf(folder: string, below = ''): Promise<string> {
  const lines: string[] = []
  for (const name of (await readdir(join(folder, below))).sort()) {
    const path = join(below, name)
    const facts = await lstat(join(folder, path))
    if (facts.isDirectory()) lines.push(`${path}/`, await treeOf(folder, path))
    else
      lines.push(`${path} ${facts.mode.toString(8)} ${Math.floor(facts.mtimeMs)} ${sha256(await readFile(join(folder, path)))}`)
  }
  return lines.filter((line) => line !== '').join('\n')
}

export async function makePlan(context: EngineContext, options: Partial<RestorePlanRequest> = {}): Promise<RestorePlan> {
  const { done } = await startRestorePlan(context, {
    site: 'testsite',
    name: 'testsite-1',
    parts: ['database', 'files'],
    passwords: [],
    ...options,
  })
  return planOf(context, (await done).planId).plan
}

/** Runs a plan to its end. */
export async function runPlan(context: EngineContext, planId: string): Promise<Job> {
  const id = await startRestore(context, planId)
  if (id === null) throw new Error('not confirmed')
  return endOf(context, id)
}

export async function endOf(context: EngineContext, jobId: string): Promise<Job> {
  for (;;) {
    // a job that was started just now may not have its journal yet
    const shown = await context.jobs.show(jobId).catch(() => null)
    if (shown?.job.endedAt) return shown.job
    await new Promise((resolve) => setTimeout(resolve, 20))
  }
}
