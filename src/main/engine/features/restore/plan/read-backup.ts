import { storedBesideGiven, storedPasswords } from '#engine/features/encryption/index.ts'
import type { EngineContext } from '#engine/foundation/context.ts'
import type { JobContext } from '#engine/foundation/jobs/types.ts'
import { AppError, isCancelled } from '#shared/errors.ts'
import type { BackupPart, PartKind } from '#shared/model/backup.ts'
import type { PlanCheck } from '#shared/model/plan.ts'
import { type OpenPart, openPart } from '../open-part.ts'
import * as checks from './checks.ts'
import { type FoundBackup, partOf } from './find-backup.ts'
import type { PlannedPart } from './stored-plan.ts'

/** Problems that lie in the backup itself: the plan shows them. */
const CONTENT_PROBLEMS =
  /^(dump-cut|gzip-damaged|statement-.*|other-schema|schema-.*|script-.*|archive-.*|media-.*|config-.*|not-a-backup|ends-too-early)$/

/** What reading a part to its end found; both null when its content can't be restored. */
export interface ReadPart<S> {
  survey: S | null
  part: PlannedPart | null
}

/** Reads the parts of a backup to their end; what is wrong with their content becomes a failed check. */
export class BackupReader {
  readonly #context: EngineContext
  readonly #job: JobContext
  readonly #found: FoundBackup
  readonly #checks: PlanCheck[]
  #passwords: string[]
  #stored = new Set<string>()

  constructor(context: EngineContext, job: JobContext, found: FoundBackup, given: string[], checks: PlanCheck[]) {
    this.#context = context
    this.#job = job
    this.#found = found
    this.#passwords = given
    this.#checks = checks
  }

  /** Those that were given and those that are stored; one that fitted goes first. */
  get passwords(): readonly string[] {
    return this.#passwords
  }

  /** The stored passwords are asked for only when something is encrypted. @param site whose backup it is */
  async gatherPasswords(site: string, parts: readonly PartKind[]): Promise<void> {
    if (!parts.some((part) => partOf(this.#found.entry, part)?.isEncrypted)) return
    const stored = await storedBesideGiven(this.#passwords, storedPasswords(this.#context, site))
    this.#stored = new Set(stored)
    this.#passwords = [...new Set([...this.#passwords, ...stored])]
  }

  /**
   * @param name of the check
   * @param to what it was read to: "its end"
   * @throws AppError what does not lie in the content: `password-needed`, `cancelled`, …
   */
  async read<S>(
    kind: PartKind,
    name: string,
    to: string,
    survey: (content: AsyncGenerator<Buffer, void, void>) => Promise<S>,
  ): Promise<ReadPart<S>> {
    const { entry, repository } = this.#found
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
      const result = await survey(open.content)
      // what the reader did not need is read too: a hash is of the whole file
      for await (const _ of open.content) signal.throwIfAborted()
      const hashes = open.hashes()
      const fits = known.hash === null ? null : known.hash === hashes.stored || known.hash === hashes.decrypted
      this.#checks.push(checks.completeCheck(name, to, fits))
      return { survey: result, part: { ...part, storedHash: hashes.stored, storedBytes: stat.size } }
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
    this.#checks.push(checks.passwordCheck(this.#found.site, this.#stored.has(fitting)))
  }
}
