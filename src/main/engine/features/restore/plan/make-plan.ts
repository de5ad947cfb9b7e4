import { randomUUID } from 'node:crypto'
import { statfs } from 'node:fs/promises'
import { serverFreeBytes } from '#engine/foundation/connections/ssh/server-disk.ts'
import type { EngineContext } from '#engine/foundation/context.ts'
import type { JobContext, JobHandle } from '#engine/foundation/jobs/types.ts'
import { hashOf, PLAN_LIFE_MS } from '#engine/foundation/plans/plan-shelf.ts'
import { AppError } from '#shared/errors.ts'
import type { PartKind } from '#shared/model/backup.ts'
import type { PlanCheck, RestorePart, RestorePlan } from '#shared/model/plan.ts'
import type { Site } from '#shared/model/site.ts'
import type { ConfigPart } from '../config/config-entry.ts'
import { type ConfigSurvey, surveyConfig } from '../config/survey-config.ts'
import { diskOf, type SiteFolders } from '../files/undo-journal.ts'
import { type LiveDatabase, readLive, readNeeded } from '../live.ts'
import { type MediaSurvey, surveyMedia } from '../media/survey-media.ts'
import { planServerLoad } from '../on-server/choose-loader.ts'
import { holdsForPlan, recoverBeforePlan } from '../recover.ts'
import { serverWriteCheck } from '../remote-files/server-write-check.ts'
import { type MediaSums, surveyRemoteMedia } from '../remote-files/survey-remote-media.ts'
import { restartStep } from '../restart.ts'
import { siteFolders } from '../site-folders.ts'
import { type DumpSurvey, surveyDump } from '../survey-dump.ts'
import * as checks from './checks.ts'
import { readDatabaseSpace } from './database-space.ts'
import { describePlan } from './describe-plan.ts'
import { type FoundBackup, findBackup, partOf } from './find-backup.ts'
import { keptName } from './kept-name.ts'
import type { RestorePlanRequest } from './plan-request.ts'
import { BackupReader } from './read-backup.ts'
import { editsSince, rowChanges } from './row-changes.ts'
import { planSafety } from './safety.ts'
import { type PlannedPart, restorePlans, type ServerLoading } from './stored-plan.ts'

/** In which part of a backup each part of a restore is. */
const PART_OF: Record<RestorePart, PartKind> = { database: 'database', files: 'files', config: 'config', security: 'config' }
const PART_WORDS: Record<RestorePart, string> = {
  database: 'database',
  files: 'media',
  config: 'configuration',
  security: 'security files',
}

/**
 * Makes the plan of a restore, as a job that changes nothing: reads the whole backup as the restore would, and looks at
 * what is live. What speaks against the restore is a failed check of the plan.
 * @throws AppError of the job: `unknown-backup`, `password-needed`, `nothing-to-restore`, `database-…`, `cancelled`
 */
export async function startRestorePlan(
  context: EngineContext,
  request: RestorePlanRequest,
): Promise<JobHandle<{ planId: string }>> {
  const site = await context.sites.get(request.site)
  const source = await context.sites.get(request.sourceSite ?? request.site)
  return context.jobs.start({
    kind: 'restore-plan',
    title: `Planning to restore ${request.name}`,
    site: site.name,
    holds: await holdsForPlan(context, site),
    run: (job) => new PlanMaker(context, job, site, source, request).make(),
  })
}

class PlanMaker {
  readonly #context: EngineContext
  readonly #job: JobContext
  readonly #site: Site
  readonly #source: Site
  readonly #request: RestorePlanRequest
  readonly #checks: PlanCheck[] = []
  /** The schema that is written. */
  readonly #schema: string
  #found: SiteFolders | null | undefined
  /** Those parts of the restore that are files. */
  #files: RestorePart[] = []

  constructor(context: EngineContext, job: JobContext, site: Site, source: Site, request: RestorePlanRequest) {
    this.#context = context
    this.#job = job
    this.#site = site
    this.#source = source
    this.#request = request
    this.#schema = request.schema ?? site.database.schema
  }

  async make(): Promise<{ planId: string }> {
    const { signal } = this.#job
    const { withoutOwners = false, withoutGrants = false } = this.#request
    await recoverBeforePlan(this.#context, this.#job, this.#site)
    const found = await findBackup(this.#context, this.#job, this.#source, this.#request)
    const parts = this.#wantedParts(found)
    this.#files = parts.filter((part) => part !== 'database')
    const reader = new BackupReader(this.#context, this.#job, found, this.#request.passwords, this.#checks)
    await reader.gatherPasswords(
      this.#source.name,
      parts.map((part) => PART_OF[part]),
    )
    this.#sourceChecks(parts)
    const database = parts.includes('database') ? await this.#readDatabase(reader) : null
    const onServer = database?.survey && database.part ? await this.#planLoader(database.survey, database.part) : null
    const media = parts.includes('files') ? await this.#readMedia(reader) : null
    const config = await this.#readConfig(reader, configParts(parts))
    const createdAt = new Date()
    const keptSchema = keptName(this.#schema, createdAt)
    const live = parts.includes('database') ? await this.#readLive([keptSchema, `${this.#schema}_temp`]) : null
    if (live && database?.survey) await this.#databaseChecks(database.survey, live, keptSchema)
    const isWanted = this.#request.safetyBackup ?? true
    this.#job.phase('Seeing whether a safety backup can be made')
    const safety = await planSafety(this.#context, this.#site, { isWanted, at: createdAt, signal })
    const ageSeconds = Math.max(0, Math.round((createdAt.getTime() - Date.parse(found.entry.timestamp)) / 1000))
    const tables = live && database?.survey ? rowChanges(live.tables, database.survey.tables) : []
    this.#checks.push(safety.check, checks.ageCheck(ageSeconds, editsSince(tables)))
    signal.throwIfAborted()
    const facts: Omit<RestorePlan, 'id' | 'sha256' | 'steps' | 'wayBack'> = {
      createdAt: createdAt.toISOString(),
      expiresAt: new Date(createdAt.getTime() + PLAN_LIFE_MS).toISOString(),
      site: this.#site.name,
      backup: { name: found.entry.name, timestamp: found.entry.timestamp, repository: found.from },
      from: found.why,
      parts,
      sourceSite: this.#source.name,
      schema: this.#schema,
      withoutOwners,
      withoutGrants,
      loader: this.#request.loader ?? 'here',
      safetyBackup: safety.name,
      config: config?.survey?.files ?? null,
      ageSeconds,
      tables,
      databaseBytes: database?.survey?.bytes ?? null,
      media: media?.survey ? withoutWrites(media.survey) : null,
      keptSchema: live && live.schemaOid !== null ? keptSchema : null,
      checks: this.#checks,
      runnable: this.#checks.every(({ outcome }) => outcome !== 'failed'),
    }
    const preconditions = {
      settings: hashOf(this.#site),
      sourceSettings: hashOf(this.#source),
      dumpSchema: this.#source.database.schema,
      database: database?.part ?? null,
      media: media?.part ?? null,
      config: config?.part ?? null,
      liveOid: live?.schemaOid ?? null,
    }
    const plan: RestorePlan = {
      id: randomUUID(),
      sha256: hashOf({ facts, preconditions }),
      ...facts,
      ...describePlan(facts, live?.bytes ?? 0, restartStep(this.#site)),
    }
    const rows = new Map([...(database?.survey?.tables ?? [])].map(([table, { rows }]) => [table, rows]))
    const { constraints = new Map(), runs = new Set<string>() } = database?.survey ?? {}
    restorePlans.keep(this.#context, {
      plan,
      from: found.from,
      ...preconditions,
      mediaSums: media?.survey?.sums ?? null,
      onServer,
      expected: { rows, constraints, runs },
      passwords: reader.passwords,
      isUsed: false,
    })
    return { planId: plan.id }
  }

  get #isStaging(): boolean {
    return this.#source.name !== this.#site.name
  }

  #wantedParts({ entry }: FoundBackup): RestorePart[] {
    const wanted = this.#request.parts
    const parts: RestorePart[] = []
    for (const part of ['database', 'files', 'config', 'security'] as const) {
      if (!wanted.includes(part)) continue
      if (partOf(entry, PART_OF[part]) === null) {
        if (part !== 'database') this.#checks.push(checks.missingPartCheck(PART_WORDS[part]))
      } else if (part !== 'database' && !this.#site.server) {
        this.#checks.push(checks.noFolderCheck(PART_WORDS[part]))
      } else parts.push(part)
    }
    if (parts.length > 0) return parts
    throw new AppError('nothing-to-restore', `${entry.name} has nothing of what was asked for. Nothing was changed.`, {
      hint: 'Choose another part, or another backup.',
      details: { wanted, parts: entry.parts.map(({ part }) => part) },
    })
  }

  #sourceChecks(parts: readonly RestorePart[]): void {
    if (!this.#isStaging) return
    const [source, site] = [this.#source.name, this.#site.name]
    const places = [this.#source, this.#site].map(({ database }) => [database.host, database.port, database.database].join(':'))
    const isSamePlace = places[0] === places[1] && this.#source.database.schema === this.#schema
    this.#checks.push(isSamePlace ? checks.samePlaceCheck(source, site) : checks.stagingCheck(source, site))
    if (configParts(parts).length > 0) this.#checks.push(checks.foreignConfigCheck(source, site))
  }

  async #readDatabase(reader: BackupReader) {
    const { withoutOwners, withoutGrants } = this.#request
    const target = { schema: this.#schema, dumpSchema: this.#source.database.schema, withoutOwners, withoutGrants }
    return reader.read<DumpSurvey>('database', 'Complete', 'its completion line', (content) =>
      surveyDump(content, target, this.#job.signal),
    )
  }

  /** null: this computer loads the database, or nobody can. */
  async #planLoader(survey: DumpSurvey, part: PlannedPart): Promise<ServerLoading | null> {
    const { loader, withoutOwners = false, withoutGrants = false } = this.#request
    if (loader !== 'server') return null
    const isRewritten = this.#schema !== this.#source.database.schema || withoutOwners || withoutGrants
    this.#job.phase('Trying psql on the server')
    const question = { site: this.#site, part, survey, isRewritten, signal: this.#job.signal }
    const { check, loading } = await planServerLoad(this.#context, question)
    this.#checks.push(check)
    // the dump lies beside what a restore keeps of files
    if (loading) await this.#folders()
    return loading
  }

  async #readMedia(reader: BackupReader) {
    const folders = await this.#folders()
    if (!folders) return null
    const { signal } = this.#job
    const { filesDir } = folders
    const { server } = diskOf(folders)
    const media = await reader.read<MediaSurvey & { sums?: MediaSums }>('files', 'Media', 'its end', (content) =>
      server ? surveyRemoteMedia(content, server, filesDir, signal) : surveyMedia(content, filesDir, { signal }),
    )
    if (!media.survey) return media
    const free = server ? await serverFreeBytes(server, filesDir, signal) : await localFreeBytes(filesDir)
    if (free !== null) this.#checks.push(checks.spaceCheck(media.survey, free))
    return media
  }

  async #readConfig(reader: BackupReader, parts: ConfigPart[]) {
    if (parts.length === 0) return null
    const folders = await this.#folders()
    const { name: site } = this.#site
    if (!folders) return null
    const { signal } = this.#job
    const config = await reader.read<ConfigSurvey>('config', 'Configuration', 'its end', (tar) =>
      surveyConfig({ tar, folders, site, parts, signal }),
    )
    for (const note of config.survey?.notes ?? []) this.#checks.push(checks.configNoteCheck(note))
    return config
  }

  /** null: the site has no server. */
  async #folders(): Promise<SiteFolders | null> {
    const isFirst = this.#found === undefined
    this.#found ??= await siteFolders(this.#context, this.#site, this.#job.signal)
    const { server } = diskOf(this.#found ?? {})
    if (isFirst && this.#found && server)
      this.#checks.push(await serverWriteCheck(server, this.#found, this.#files, this.#job.signal))
    return this.#found
  }

  async #readLive(askedSchemas: string[]): Promise<LiveDatabase> {
    const { signal } = this.#job
    this.#job.phase('Counting the live rows', null, 'steps')
    return readLive(await this.#context.sites.connection(this.#site), this.#schema, {
      askedSchemas,
      signal,
      onTable: (_name, _at, of) => {
        this.#job.setTotal(of)
        this.#job.advance(1)
      },
    })
  }

  async #databaseChecks(survey: DumpSurvey, live: LiveDatabase, keptSchema: string): Promise<void> {
    const { signal } = this.#job
    const schema = this.#schema
    const connection = await this.#context.sites.connection(this.#site)
    const needed = await readNeeded(connection, survey, signal)
    const roles = new Set([...survey.owners, ...survey.roles])
    const space = await readDatabaseSpace(connection, schema, survey.bytes, signal)
    this.#checks.unshift(checks.schemaNameCheck(survey, this.#source.database.schema, schema), checks.columnsCheck(survey, live))
    this.#checks.push(
      checks.databaseSpaceCheck(space),
      checks.rightsCheck(live, survey),
      checks.rolesCheck(needed, live, roles.size),
      checks.extensionsCheck(needed, live),
    )
    if (schema !== this.#site.database.schema) {
      this.#checks.push(checks.targetSchemaCheck(schema, this.#site.database.schema, live.schemaOid !== null))
      return
    }
    this.#checks.push(checks.leftoverCheck(`${schema}_temp`, live.schemas.has(`${schema}_temp`)))
    if (live.schemaOid !== null) this.#checks.push(checks.keptNameCheck(keptSchema, live.schemas.has(keptSchema)))
  }
}

export function configParts(parts: readonly RestorePart[]): ConfigPart[] {
  return parts.filter((part) => part === 'config' || part === 'security')
}

function withoutWrites({
  bytesToWrite: _,
  sums: __,
  ...media
}: MediaSurvey & { sums?: MediaSums }): NonNullable<RestorePlan['media']> {
  return media
}

async function localFreeBytes(folder: string): Promise<number | null> {
  const disk = await statfs(folder).catch(() => null)
  return disk && disk.bavail * disk.bsize
}
