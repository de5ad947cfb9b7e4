import { readFile, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import type { EngineContext } from '#engine/foundation/context.ts'
import { writeFileAtomic } from '#engine/foundation/files/atomic.ts'
import type { FileStat } from '#engine/foundation/repository/types.ts'
import { type Proof, proofSchema, type RepositoryName, repositoryNameSchema } from '#shared/model/backup.ts'

const MAX_RECORDS = 1000
const MAX_BYTES = 16 * 1024 * 1024

const recordSchema = z.strictObject({
  repository: repositoryNameSchema,
  name: z.string(),
  timestamp: z.string(),
  /** The files that were read: what they were, and what they looked like, so that a changed file is not taken for proven. */
  files: z.array(z.strictObject({ file: z.string(), sha256: z.string().nullable(), size: z.number(), version: z.string() })),
  proof: proofSchema,
})

const storeSchema = z.strictObject({ version: z.literal(1), proofs: z.array(recordSchema) })

/** What verifying one backup in one repository found. Key: repository, NAME, timestamp and the stored files' SHA-256. */
export type ProofRecord = z.infer<typeof recordSchema>

type ProofPlaces = Pick<EngineContext, 'home' | 'locks' | 'log'>

const fileOf = ({ home }: ProofPlaces, site: string) => join(home.proof, `${site}.json`)

/** The proofs of a site, `proof/SITE.json`. What can't be read counts as not proven: it can be verified again. */
export async function readProofs(context: ProofPlaces, site: string): Promise<ProofRecord[]> {
  const path = fileOf(context, site)
  const facts = await stat(path).catch(() => null)
  if (!facts || facts.size > MAX_BYTES) return []
  try {
    return storeSchema.parse(JSON.parse(await readFile(path, 'utf8'))).proofs
  } catch (error) {
    context.log.warn('proofs could not be read; backups count as not verified', { file: path, error })
    return []
  }
}

/** Keeps a proof; the one of the same place and name before it goes. */
export async function recordProof(context: ProofPlaces, site: string, record: ProofRecord): Promise<void> {
  const lock = await context.locks.acquire(`proof:${site}`)
  try {
    const known = await readProofs(context, site)
    const isSamePlace = (other: ProofRecord) => other.repository === record.repository && other.name === record.name
    if (known.some((other) => isSamePlace(other) && saysMore(other, record))) return
    const proofs = [...known.filter((other) => !isSamePlace(other)), record].slice(-MAX_RECORDS)
    await writeFileAtomic(fileOf(context, site), `${JSON.stringify({ version: 1, proofs })}\n`)
  } finally {
    await lock.release()
  }
}

/** A quick look at files that were read to the end before does not take that proof away. */
function saysMore(old: ProofRecord, next: ProofRecord): boolean {
  return (
    old.timestamp === next.timestamp &&
    old.proof.verdict === 'verified' &&
    next.proof.verdict === 'verified' &&
    old.proof.level > next.proof.level &&
    next.files.every(({ file, version }) => old.files.some((known) => known.file === file && known.version === version))
  )
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
