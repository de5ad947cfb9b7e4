import { randomUUID } from 'node:crypto'
import { statfs } from 'node:fs/promises'
import { join } from 'node:path'
import { storedPasswords } from '#engine/features/encryption/index.ts'
import type { EngineContext } from '#engine/foundation/context.ts'
import type { JobContext, JobHandle } from '#engine/foundation/jobs/types.ts'
import { AppError, isCancelled } from '#shared/errors.ts'
import type { BackupPart, RepositoryName } from '#shared/model/backup.ts'
import type { PlanCheck, RestorePart, RestorePlan } from '#shared/model/plan.ts'
import type { Site } from '#shared/model/site.ts'
import { type LiveDatabase, readLive, readNeeded } from '../live.ts'
import { type MediaSurvey, surveyMedia } from '../media/survey-media.ts'
import { type OpenPart, openPart } from '../open-part.ts'
import { type DumpSurvey, surveyDump } from '../survey-dump.ts'
import * as checks from './checks.ts'
import { describePlan } from './describe-plan.ts'
import { type FoundBackup, findBackup, partOf } from './find-backup.ts'
import { hashOf, keepPlan, PLAN_LIFE_MS, type PlannedPart } from './stored-plan.ts'

export interface RestorePlanRequest {
  site: string
  name: string
  timestamp?: string | undefined
  from?: RepositoryName | undefined
  parts: RestorePart[]
  passwords: string[]
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
  return context.jobs.start({
    kind: 'restore-plan',
    title: `Planning to restore ${request.name}`,
    site: site.name,
    holds: [],
    run: (job) => new PlanMaker(context, job, site, request).make(),
  })
}

/** Problems that lie in the backup itself: the plan shows them. */
const CONTENT_PROBLEMS =
  /^(dump-cut|gzip-damaged|statement-.*|other-schema|script-.*|archive-.*|media-.*|config-.*|not-a-backup|ends-too-early)$/

class PlanMaker {
  readonly #context: EngineContext
  readonly #job: JobContext
  readonly #site: Site
  readonly #request: RestorePlanRequest
  readonly #checks: PlanCheck[] = []
  #passwords: string[] = []
  #storedPasswords = new Set<string>()

  constructor(context: EngineContext, job: JobContext, site: Site, request: RestorePlanRequest) {
    this.#context = context
    this.#job = job
    this.#site = site
    this.#request = request
  }

  async make(): Promise<{ planId: string }> {
    const { signal } = this.#job
    const { schema } = this.#site.database
    const found = await findBackup(this.#context, this.#site, this.#request)
    const parts = this.#wantedParts(found)
    await this.#gatherPasswords(found, parts)
    const database = parts.includes('database') ? await this.#readDatabase(found) : null
    const media = parts.includes('files') ? await this.#readMedia(found) : null
    const createdAt = new Date()
    const keptSchema = keptName(schema, createdAt)
    const live = parts.includes('database') ? await this.#readLive([keptSchema, `${schema}_temp`]) : null
    if (live && database?.survey) await this.#databaseChecks(database.survey, live, keptSchema)
    const ageSeconds = Math.max(0, Math.round((createdAt.getTime() - Date.parse(found.entry.timestamp)) / 1000))
    const edits = editsSince(live, database?.survey ?? null)
    this.#checks.push(checks.ageCheck(ageSeconds, edits))
    signal.throwIfAborted()
    const facts: Omit<RestorePlan, 'id' | 'sha256' | 'steps' | 'wayBack'> = {
      createdAt: createdAt.toISOString(),
      expiresAt: new Date(createdAt.getTime() + PLAN_LIFE_MS).toISOString(),
      site: this.#site.name,
      backup: { name: found.entry.name, timestamp: found.entry.timestamp, repository: found.from },
      from: found.why,
      parts,
      sourceSite: this.#site.name,
      schema,
      withoutOwners: false,
      withoutGrants: false,
      safetyBackup: null,
      config: null,
      ageSeconds,
      tables: tableRows(live, database?.survey ?? null),
      databaseBytes: database?.survey?.bytes ?? null,
      media: media?.survey ? withoutWrites(media.survey) : null,
      keptSchema: live && live.schemaOid !== null ? keptSchema : null,
      checks: this.#checks,
      runnable: this.#checks.every(({ outcome }) => outcome !== 'failed'),
    }
    const preconditions = {
      settings: hashOf(this.#site),
      database: database?.part ?? null,
      media: media?.part ?? null,
      liveOid: live?.schemaOid ?? null,
    }
    const plan: RestorePlan = {
      id: randomUUID(),
      sha256: hashOf({ facts, preconditions }),
      ...facts,
      ...describePlan(facts, live?.bytes ?? 0),
    }
    keepPlan(this.#context, { plan, from: found.from, ...preconditions, passwords: this.#passwords, isUsed: false })
    return { planId: plan.id }
  }

  #wantedParts({ entry }: FoundBackup): RestorePart[] {
    const parts: RestorePart[] = []
    if (this.#request.parts.includes('database') && partOf(entry, 'database')) parts.push('database')
    if (this.#request.parts.includes('files')) {
      if (!partOf(entry, 'files'))
        this.#checks.push(checks.noMediaCheck('This backup has no media: those of the site stay as they are'))
      else if (!this.#site.server) {
        this.#checks.push(checks.noMediaCheck('The site has no files folder in its settings: media are not restored'))
      } else parts.push('files')
    }
    if (parts.length > 0) return parts
    throw new AppError('nothing-to-restore', `${entry.name} has nothing of what was asked for. Nothing was changed.`, {
      hint: 'Choose another part, or another backup.',
      details: { wanted: this.#request.parts, parts: entry.parts.map(({ part }) => part) },
    })
  }

  /** The stored passwords are asked for only when something is encrypted. */
  async #gatherPasswords({ entry }: FoundBackup, parts: RestorePart[]): Promise<void> {
    this.#passwords = this.#request.passwords
    if (!parts.some((part) => part !== 'security' && partOf(entry, part)?.isEncrypted)) return
    const stored = await storedPasswords(this.#context, this.#site.name).catch((error: unknown) => {
      const isEnough = this.#passwords.length > 0 && error instanceof AppError && error.code === 'secrets-locked'
      if (isEnough) return []
      throw error
    })
    this.#storedPasswords = new Set(stored)
    this.#passwords = [...new Set([...this.#passwords, ...stored])]
  }

  async #readDatabase(found: FoundBackup) {
    const { schema } = this.#site.database
    return this.#readPart<DumpSurvey>(found, 'database', 'Complete', 'its completion line', async (open) =>
      surveyDump(open.content, { schema }, this.#job.signal),
    )
  }

  async #readMedia(found: FoundBackup) {
    const { server } = this.#site
    if (!server) return null
    const { signal } = this.#job
    const media = await this.#readPart<MediaSurvey>(found, 'files', 'Media', 'its end', (open) =>
      surveyMedia(open.content, server.filesDir, { signal }),
    )
    if (!media.survey) return media
    const disk = await statfs(join(server.filesDir)).catch(() => null)
    if (disk) this.#checks.push(checks.spaceCheck(media.survey, disk.bavail * disk.bsize))
    return media
  }

  /** Reads a part to its end; what is wrong with its content becomes a failed check. */
  async #readPart<S>(
    { entry, repository }: FoundBackup,
    kind: 'database' | 'files',
    name: string,
    to: string,
    read: (open: OpenPart) => Promise<S>,
  ): Promise<{ survey: S | null; part: PlannedPart | null }> {
    const { signal } = this.#job
    const known = partOf(entry, kind) as BackupPart
    const stat = await repository.stat(known.file)
    if (!stat) {
      this.#checks.push(checks.unreadableCheck(name, `The file ${known.file} is missing`))
      return { survey: null, part: null }
    }
    this.#job.phase(`Reading ${known.file}`, stat.size, 'bytes')
    const part = { file: known.file, version: stat.version, isEncrypted: known.file.endsWith('.enc') }
    const onBytes = (bytes: number) => this.#job.advance(bytes)
    const { workers } = this.#context
    let open: OpenPart | null = null
    try {
      open = await openPart({ repository, part, passwords: this.#passwords, workers, signal, onBytes })
      this.#passwordFits(open.passwordIndex)
      const survey = await read(open)
      // what the reader did not need is read too: a hash is of the whole file
      for await (const _ of open.content) signal.throwIfAborted()
      const hashes = open.hashes()
      const fits = known.hash === null ? null : known.hash === hashes.stored || known.hash === hashes.decrypted
      this.#checks.push(checks.completeCheck(name, to, fits))
      return { survey, part: { ...part, storedHash: hashes.stored, storedBytes: stat.size } }
    } catch (error) {
      if (isCancelled(error) || !(error instanceof AppError) || !CONTENT_PROBLEMS.test(error.code)) throw error
      this.#checks.push(checks.unreadableCheck(error.code === 'other-schema' ? 'Schema name' : name, error.message))
      return { survey: null, part: null }
    } finally {
      open?.close()
    }
  }

  #passwordFits(index: number | null): void {
    const fitting = index === null ? undefined : this.#passwords[index]
    if (fitting === undefined) return
    // deriving a key takes long: the one that fitted goes first
    this.#passwords = [fitting, ...this.#passwords.filter((password) => password !== fitting)]
    if (this.#checks.some(({ name }) => name === 'Password')) return
    this.#checks.push(checks.passwordCheck(this.#site.name, this.#storedPasswords.has(fitting)))
  }

  async #readLive(askedSchemas: string[]): Promise<LiveDatabase> {
    const { signal } = this.#job
    this.#job.phase('Counting the live rows', null, 'steps')
    return readLive(await this.#context.sites.connection(this.#site), this.#site.database.schema, {
      askedSchemas,
      signal,
      onTable: (_name, _at, of) => {
        this.#job.setTotal(of)
        this.#job.advance(1)
      },
    })
  }

  async #databaseChecks(survey: DumpSurvey, live: LiveDatabase, keptSchema: string): Promise<void> {
    const { schema } = this.#site.database
    const needed = await readNeeded(await this.#context.sites.connection(this.#site), survey, this.#job.signal)
    const roles = new Set([...survey.owners, ...survey.roles])
    this.#checks.unshift(checks.schemaNameCheck(survey, schema), checks.columnsCheck(survey, live))
    this.#checks.push(
      checks.rightsCheck(live, survey.securityDefiners),
      checks.rolesCheck(needed, live, roles.size),
      checks.extensionsCheck(needed, live),
      checks.leftoverCheck(`${schema}_temp`, live.schemas.has(`${schema}_temp`)),
    )
    if (live.schemaOid !== null) this.#checks.push(checks.keptNameCheck(keptSchema, live.schemas.has(keptSchema)))
  }
}

/** `SCHEMA_before_20261123094200`, at most 63 bytes. */
export function keptName(schema: string, at: Date): string {
  const suffix = `_before_${at.toISOString().replace(/\D/g, '').slice(0, 14)}`
  let start = schema
  while (Buffer.byteLength(start) + suffix.length > 63) start = [...start].slice(0, -1).join('')
  return start + suffix
}

function tableRows(live: LiveDatabase | null, survey: DumpSurvey | null): RestorePlan['tables'] {
  if (!live || !survey) return []
  const names = [...new Set([...live.tables.keys(), ...survey.tables.keys()])].sort()
  return names.map((table) => ({
    table,
    rowsNow: live.tables.get(table)?.rows ?? null,
    rowsThen: survey.tables.get(table)?.rows ?? null,
  }))
}

/** Every edit leaves a revision. */
function editsSince(live: LiveDatabase | null, survey: DumpSurvey | null): number | null {
  const now = live?.tables.get('backup_revision')?.rows
  const then = survey?.tables.get('backup_revision')?.rows
  return typeof now !== 'number' || then === undefined ? null : Math.max(0, now - then)
}

function withoutWrites({ bytesToWrite: _, ...media }: MediaSurvey): NonNullable<RestorePlan['media']> {
  return media
}
