import { readEncHeader } from '#engine/features/encryption/index.ts'
import { belongsTo } from '#engine/foundation/repository/names.ts'
import type { FileStat, Repository } from '#engine/foundation/repository/types.ts'
import { isTroubleOfTheWay } from '#engine/foundation/repository/way-trouble.ts'
import type { Workers } from '#engine/foundation/workers.ts'
import { isCancelled, toAppError } from '#shared/errors.ts'
import {
  type BackupEntry,
  type BackupPart,
  describeTrouble,
  type LevelResult,
  type PartProof,
  type Proof,
} from '#shared/model/backup.ts'
import { type PartReading, readPart } from './part-reading.ts'

export type VerifyLevel = 0 | 1 | 2

export interface VerifyOptions {
  repository: Repository
  /** As the listing has it. */
  entry: BackupEntry
  /** 0: present; 1: and the hash; 2: and readable to the end. */
  level: VerifyLevel
  /** Tried in order on each encrypted part. */
  passwords: readonly string[]
  workers: Workers
  signal?: AbortSignal
  /** Bytes of the stored file that were read. */
  onProgress?: (file: string, bytes: number) => void
  /** A part is done. */
  onPart?: (proof: PartProof) => void
}

/** A stored file that was read for a proof. */
export interface ProvenFile {
  file: string
  /** null: only looked at, not read to its end. */
  sha256: string | null
  size: number
  version: string
}

/**
 * Verifies a backup where it lies; changes nothing. What is wrong with the backup is in the proof and never thrown.
 * Source: docs/formats.md, "Verification".
 * @throws AppError `cancelled`, `worker-crashed`, those of the way to a server or filestore
 */
export async function verifyBackup(options: VerifyOptions): Promise<Proof> {
  return (await examineBackup(options)).proof
}

/** {@link verifyBackup}, with the files that were read: what the proof is about. */
export async function examineBackup(options: VerifyOptions): Promise<{ proof: Proof; files: ProvenFile[] }> {
  const parts: PartProof[] = []
  const files: ProvenFile[] = []
  const isWronglyLocked: PartProof[] = []
  let passwords = options.passwords
  let unlocked = 0
  for (const part of options.entry.parts) {
    options.signal?.throwIfAborted()
    const { proof, file, reading } = await examinePart({ ...options, passwords }, part)
    if (file) files.push(file)
    if (reading?.passwordIndex !== null && reading?.passwordIndex !== undefined) {
      // deriving a key takes long: the password that fitted goes first
      const fitting = passwords[reading.passwordIndex] ?? ''
      passwords = [fitting, ...passwords.filter((password) => password !== fitting)]
      unlocked += 1
    }
    if (reading?.locked?.code === 'wrong-password') isWronglyLocked.push(proof)
    parts.push(proof)
    options.onPart?.(proof)
  }
  if (unlocked > 0) {
    for (const proof of isWronglyLocked) {
      blameHeader(proof)
      options.onPart?.(proof)
    }
  }
  return { proof: conclude(parts, options.level), files }
}

/** All parts of a backup have one password: where it fits the others, a part that it does not fit is damaged. */
function blameHeader(proof: PartProof): void {
  const reason = 'the password of the other parts does not fit: the start of the file is damaged'
  if (proof.levels.L1?.outcome === 'unknown') proof.levels.L1 = failed(reason)
  if (proof.levels.L2) proof.levels.L2 = failed(reason)
}

interface Examined {
  proof: PartProof
  file: ProvenFile | null
  reading: PartReading | null
}

async function examinePart(options: VerifyOptions, part: BackupPart): Promise<Examined> {
  const { level, repository, entry } = options
  const notReadable = (reason: string, outcome: LevelResult['outcome'] = 'failed'): PartProof => ({
    part: part.part,
    file: part.file,
    levels: {
      L0: { outcome, reason },
      L1: level >= 1 ? { outcome, reason } : null,
      L2: level >= 2 ? { outcome, reason } : null,
    },
  })
  if (!belongsTo(entry.name, part.file)) {
    return { proof: notReadable('the index names no file of this backup here: it was not opened'), file: null, reading: null }
  }
  const facts = await repository.stat(part.file)
  if (!facts) {
    // what was never to be there is no damage, and no proof either
    const isMissed = part.trouble !== 'not-uploaded'
    const proof = isMissed ? notReadable('the file is missing') : notReadable(describeTrouble(part).replace(/\.$/, ''), 'unknown')
    return { proof, file: null, reading: null }
  }
  const file: ProvenFile = { file: part.file, sha256: null, size: facts.size, version: facts.version }
  if (facts.size === 0) return { proof: notReadable('the file is empty'), file, reading: null }
  const proof: PartProof = { part: part.part, file: part.file, levels: { L0: null, L1: null, L2: null } }
  try {
    proof.levels.L0 = await examineStart(options, part, facts)
    if (level === 0) return { proof, file, reading: null }
    const reading = await readPart({
      ...options,
      file: part.file,
      version: facts.version,
      part: part.part,
      unpack: level >= 2,
      onBytes: (bytes) => options.onProgress?.(part.file, bytes),
    })
    proof.levels.L1 = compareHash(part, reading)
    if (level >= 2) proof.levels.L2 = judgeContent(reading)
    return { proof, file: { ...file, sha256: reading.storedHash }, reading }
  } catch (error) {
    if (isCancelled(error) || options.signal?.aborted) throw error
    return { proof: unreadable(proof, error, level), file, reading: null }
  }
}

/**
 * A file that can't be read is damaged; one that changed under way was not judged, and a lost connection says nothing of
 * the file.
 */
function unreadable(proof: PartProof, error: unknown, level: VerifyLevel): PartProof {
  const known = toAppError(error)
  if (known.code === 'worker-crashed' || isTroubleOfTheWay(error)) throw known
  const isChange = known.code === 'changed-while-reading' || known.code === 'not-found'
  const result: LevelResult = isChange
    ? { outcome: 'unknown', reason: 'the file was changed while it was read' }
    : failed(`the file can’t be read: ${known.message}`)
  proof.levels.L0 ??= result
  if (level >= 1) proof.levels.L1 ??= result
  if (level >= 2) proof.levels.L2 ??= result
  return proof
}

/** L0: it starts as its name says, and the name says what the index says. */
async function examineStart(options: VerifyOptions, part: BackupPart, facts: FileStat): Promise<LevelResult> {
  const { entry, repository, signal } = options
  const isEncFile = part.file.endsWith('.enc')
  if (entry.is_encrypted && !isEncFile) return failed('the index says that it is encrypted, the file is not')
  if (!entry.is_encrypted && isEncFile) return failed('the index says that it is not encrypted, the file is')
  const chunks: Buffer[] = []
  const source = await repository.read(part.file, { length: 64, ifVersion: facts.version, ...(signal ? { signal } : {}) })
  for await (const chunk of source) chunks.push(chunk)
  const start = Buffer.concat(chunks)
  if (isEncFile) {
    try {
      readEncHeader(start.subarray(0, 54))
    } catch (error) {
      return failed(toAppError(error).message)
    }
    return facts.size > 54 ? passed('present') : failed('the file ends after its header')
  }
  if (start.subarray(0, 3).equals(Buffer.from([0x1f, 0x8b, 8]))) return passed('present')
  const isEncrypted = start.subarray(0, 2).equals(Buffer.from('Z1'))
  return failed(isEncrypted ? 'its name says that it is not encrypted, but it is' : 'it does not start as a gzip file does')
}

/** L1: the index's hash is that of the stored file, or of its decrypted content (servers hash before they encrypt). */
function compareHash(part: BackupPart, reading: PartReading): LevelResult {
  if (part.hash === null) return { outcome: 'unknown', reason: 'no hash recorded' }
  const wanted = part.hash.toLowerCase()
  if (!/^[0-9a-f]{64}$/.test(wanted)) return failed('what the index has as hash is no SHA-256')
  if (wanted === reading.storedHash) return passed('the stored file has the SHA-256 of the index')
  if (wanted === reading.plainHash) return passed('the decrypted content has the SHA-256 of the index')
  if (reading.locked?.code === 'damaged') return failed(reading.locked.reason)
  if (reading.locked) return { outcome: 'unknown', reason: reading.locked.reason }
  return failed('its SHA-256 is not that of the index')
}

function judgeContent(reading: PartReading): LevelResult {
  if (reading.locked) return { outcome: reading.locked.code === 'damaged' ? 'failed' : 'unknown', reason: reading.locked.reason }
  if (!reading.content) return { outcome: 'unknown', reason: 'it was not read to its end' }
  return 'problem' in reading.content ? failed(reading.content.problem) : passed(reading.content.finding)
}

function conclude(parts: PartProof[], asked: VerifyLevel): Proof {
  const at = (level: VerifyLevel) => parts.map(({ levels }) => [levels.L0, levels.L1, levels.L2][level])
  let level = -1
  let isFailed = false
  for (const tried of [0, 1, 2] as const) {
    if (tried > asked || parts.length === 0) break
    isFailed = isFailed || at(tried).some((result) => result?.outcome === 'failed')
    if (!isFailed && at(tried).every((result) => result?.outcome === 'passed')) level = tried
  }
  const isVerified = parts.length > 0 && at(asked).every((result) => result?.outcome === 'passed')
  return {
    level,
    verdict: isFailed ? 'failed' : isVerified ? 'verified' : 'unknown',
    verifiedAt: new Date().toISOString(),
    parts,
    drill: null,
  }
}

function passed(reason: string): LevelResult {
  return { outcome: 'passed', reason }
}

function failed(reason: string): LevelResult {
  return { outcome: 'failed', reason }
}
