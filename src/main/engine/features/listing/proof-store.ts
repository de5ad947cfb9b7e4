import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import type { EngineContext } from '#engine/foundation/context.ts'
import { writeFileAtomic } from '#engine/foundation/files/atomic.ts'
import type { FileStat } from '#engine/foundation/repository/types.ts'
import { type Proof, proofSchema, type RepositoryName, repositoryNameSchema } from '#shared/model/backup.ts'
import { type DrillReport, drillReportSchema } from '#shared/model/drill.ts'
import { mergeProofs, whatFailed } from './merge-proofs.ts'

const MAX_RECORDS = 1000
const MAX_DRILLS = 60
const MAX_BYTES = 16 * 1024 * 1024

const recordSchema = z.strictObject({
  repository: repositoryNameSchema,
  name: z.string(),
  timestamp: z.string(),
  /** The files that were read: what they were, and what they looked like, so that a changed file is not taken for proven. */
  files: z.array(z.strictObject({ file: z.string(), sha256: z.string().nullable(), size: z.number(), version: z.string() })),
  proof: proofSchema,
  /** What reading all of it took; null: not noted. */
  seconds: z.number().nullable().default(null),
})

const drillRecordSchema = z.strictObject({
  repository: repositoryNameSchema,
  name: z.string(),
  /** Of the backup, ISO UTC. */
  timestamp: z.string(),
  /** Of its stored files. */
  bytes: z.number(),
  /** The newest `rsc.modified` in it, ISO UTC; null: not known. */
  newest: z.string().nullable(),
  report: drillReportSchema,
})

const storeSchema = z.strictObject({
  version: z.literal(1),
  proofs: z.array(recordSchema),
  drills: z.array(drillRecordSchema).default([]),
})

/** What verifying one backup in one repository found. Key: repository, NAME, timestamp and the stored files' SHA-256. */
export type ProofRecord = z.infer<typeof recordSchema>

/** A drill, which is remembered when its backup is long replaced: later ones are compared with it. */
export type DrillRecord = z.infer<typeof drillRecordSchema>

interface ProofStore {
  proofs: ProofRecord[]
  /** Newest first. */
  drills: DrillRecord[]
}

type ProofPlaces = Pick<EngineContext, 'home' | 'locks' | 'log'>

const fileOf = ({ home }: ProofPlaces, site: string) => join(home.proof, `${site}.json`)

/** The proofs of a site, `proof/SITE.json`. What can't be read counts as not proven: it can be verified again. */
export async function readProofs(context: ProofPlaces, site: string): Promise<ProofStore> {
  const path = fileOf(context, site)
  const facts = await stat(path).catch(() => null)
  if (!facts || facts.size > MAX_BYTES) return { proofs: [], drills: [] }
  try {
    const { proofs, drills } = storeSchema.parse(JSON.parse(await readFile(path, 'utf8')))
    return { proofs, drills }
  } catch (error) {
    context.log.warn('proofs could not be read; backups count as not verified', { file: path, error })
    return { proofs: [], drills: [] }
  }
}

/** Keeps a proof, joined with what is known of the same files; that of other files of the same place and name goes. */
export async function recordProof(
  context: ProofPlaces,
  site: string,
  record: Omit<ProofRecord, 'seconds'> & { seconds?: number | null },
  drill: Omit<DrillRecord, 'repository' | 'name' | 'timestamp'> | null = null,
): Promise<void> {
  const { repository, name, timestamp } = record
  await change(context, site, ({ proofs, drills }) => {
    const isSamePlace = (other: ProofRecord) => other.repository === repository && other.name === name
    const old = proofs.find((other) => isSamePlace(other) && isOfSameFiles(other, record))
    const joined: ProofRecord = {
      ...record,
      files: record.files.map((file) => ({ ...file, sha256: file.sha256 ?? hashOf(old, file.file) })),
      proof: old ? mergeProofs(old.proof, record.proof) : record.proof,
      seconds: record.seconds ?? old?.seconds ?? null,
    }
    return {
      proofs: [...proofs.filter((other) => !isSamePlace(other)), joined].slice(-MAX_RECORDS),
      drills: drill ? [{ repository, name, timestamp, ...drill }, ...drills].slice(0, MAX_DRILLS) : drills,
    }
  })
}

/** Takes note that the scratch database of a failed drill is gone. */
export async function forgetKeptFolder(context: ProofPlaces, site: string, folder: string): Promise<void> {
  const without = (report: DrillReport): DrillReport => (report.keptIn === folder ? { ...report, keptIn: null } : report)
  await change(context, site, ({ proofs, drills }) => ({
    proofs: proofs.map((record) => ({
      ...record,
      proof: { ...record.proof, drill: record.proof.drill && without(record.proof.drill) },
    })),
    drills: drills.map((record) => ({ ...record, report: without(record.report) })),
  }))
}

async function change(context: ProofPlaces, site: string, alter: (store: ProofStore) => ProofStore): Promise<void> {
  const lock = await context.locks.acquire(`proof:${site}`)
  try {
    const store = alter(await readProofs(context, site))
    await writeFileAtomic(fileOf(context, site), `${JSON.stringify({ version: 1, ...store })}\n`)
  } finally {
    await lock.release()
  }
}

function isOfSameFiles(old: ProofRecord, next: Pick<ProofRecord, 'timestamp' | 'files'>): boolean {
  return (
    old.timestamp === next.timestamp &&
    old.files.length === next.files.length &&
    next.files.every(({ file, version }) => old.files.some((known) => known.file === file && known.version === version))
  )
}

function hashOf(record: ProofRecord | undefined, file: string): string | null {
  return record?.files.find((known) => known.file === file)?.sha256 ?? null
}

/** The proof of a backup whose files are still the ones that were read; null: none. */
export function proofOf(
  records: ProofRecord[],
  backup: { repository: RepositoryName; name: string; timestamp: string },
  files: Map<string, FileStat>,
): Proof | null {
  const record = records.find(
    ({ repository, name, timestamp }) =>
      repository === backup.repository && name === backup.name && timestamp === backup.timestamp,
  )
  if (!record) return null
  const read = new Map(record.files.map((facts) => [facts.file, facts]))
  // a file that was missing then and is there now, or the other way round, is a change too
  const isSame = record.proof.parts.every(({ file }) => read.get(file)?.version === files.get(file)?.version)
  return isSame ? record.proof : null
}

/**
 * What verifying found to be wrong with the files of a backup, as long as they are the ones that were read; null: nothing is
 * known. A failed drill is none of it: every copy would fail.
 */
export function knownDamage(...[records, backup, files]: Parameters<typeof proofOf>): string | null {
  const proof = proofOf(records, backup, files)
  const found = proof === null ? '' : whatFailed({ ...proof, drill: null })
  return found === '' ? null : found
}

/** Whether verifying found the files of a backup, as they still are, to be what their index says. */
export function isProven(...[records, backup, files]: Parameters<typeof proofOf>): boolean {
  const proof = proofOf(records, backup, files)
  return proof !== null && proof.level >= 1 && proof.parts.every(({ levels }) => levels.L2?.outcome !== 'failed')
}
