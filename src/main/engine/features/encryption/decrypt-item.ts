import type { JobContext } from '#engine/foundation/jobs/types.ts'
import type { Workers } from '#engine/foundation/workers.ts'
import { AppError, cancelledError, isCancelled, toAppError } from '#shared/errors.ts'
import { formatCount } from '#shared/format.ts'
import type { JobItem } from '#shared/model/job.ts'
import { type EncFile, openEncFile, writeDecrypted } from './decrypt-file.ts'
import { noPasswordFits } from './decrypt-stream.ts'
import { type EncKey, unlockEnc } from './header.ts'
import { assertOutputFree } from './output-file.ts'
import { type PasswordBook, TriedPasswords } from './password-book.ts'

/** The outcome of one file, as the job's result and its error's details have it. */
export interface FileOutcome {
  path: string
  output: string
  /** Bytes of the stored file; null: it could not be looked at. */
  size: number | null
  state: JobItem['state']
  code?: string
  message?: string
  hint?: string
}

/** Errors that say: this file is none of ours, or would do harm. It was left alone. */
const REFUSALS = new Set(['not-a-backup', 'ends-too-early', 'output-exists', 'is-a-folder', 'not-a-file', 'not-found'])

export interface ItemSettings {
  workers: Workers
  passwords: PasswordBook
  overwrite: boolean
  interactive: boolean
  knownSites: readonly string[]
  /** Tells the job's bar that this many bytes will not be done after all. */
  giveUp(bytes: number): void
}

/** One file of a decrypt job, on its way from waiting to its outcome. */
export class DecryptItem {
  readonly id: string
  readonly name: string
  readonly path: string
  readonly output: string
  readonly site: string | null
  readonly size: number | null
  state: JobItem['state'] = 'waiting'
  error: AppError | null = null
  readonly #settings: ItemSettings
  #tried = new TriedPasswords()
  readonly #abort = new AbortController()
  #file: EncFile | null = null
  #unlocked: { key: EncKey; source: string } | null = null
  #done = 0
  #facts: Record<string, unknown>

  constructor(
    about: { id: string; name: string; path: string; output: string; site: string | null; size: number | null },
    settings: ItemSettings,
  ) {
    this.id = about.id
    this.name = about.name
    this.path = about.path
    this.output = about.output
    this.site = about.site
    this.size = about.size
    this.#settings = settings
    const { path, output, site, size } = about
    this.#facts = { path, output, size, site, passwordSource: null, tried: '', seconds: null }
  }

  get outcome(): FileOutcome {
    const { path, output, size, state, error } = this
    return { path, output, size, state, ...(error ? { code: error.code, message: error.message, hint: error.hint } : {}) }
  }

  /** Takes the file as far as it gets: `done`, `refused`, `failed`, `skipped` or `needs-password`. */
  async run(job: JobContext): Promise<void> {
    const signal = AbortSignal.any([job.signal, this.#abort.signal])
    this.show(job, 'running')
    try {
      if (signal.aborted) throw cancelledError()
      const file = await this.#open()
      await assertOutputFree(this.output, this.#settings.overwrite)
      if (await this.#unlock(job, file, signal)) await this.#decrypt(job, file, signal)
    } catch (error) {
      this.#fail(job, toAppError(error))
    }
  }

  /** What was found out about a file is void when it was replaced while it waited for a password. */
  async #open(): Promise<EncFile> {
    const file = await openEncFile(this.path)
    if (this.#file && this.#file.version !== file.version) {
      this.#unlocked = null
      this.#tried = new TriedPasswords()
    }
    this.#file = file
    return file
  }

  /** Tries the passwords known so far. False: none fits, and the file waits for one. */
  async #unlock(job: JobContext, file: EncFile, signal: AbortSignal): Promise<boolean> {
    const { passwords, interactive, knownSites } = this.#settings
    const { iterations } = file.header
    const time = iterations < 1_000_000 ? 'under a second' : 'it may take a while'
    let learnt = -1
    // another file may learn a password while this one tries those known before
    while (!this.#unlocked && learnt !== passwords.learnt) {
      learnt = passwords.learnt
      for await (const candidate of passwords.candidates(this.site, knownSites)) {
        if (!this.#tried.add(candidate)) continue
        this.show(job, 'running', `Deriving the key: ${formatCount(iterations)} rounds, ${time}`)
        const unlocked = await unlockEnc(file.header, [candidate.password], signal)
        if (!unlocked) continue
        passwords.addUsed(candidate.password)
        this.#unlocked = { key: unlocked.key, source: candidate.source }
        break
      }
    }
    if (this.#unlocked) return true
    const error = this.#withStoreProblem(noPasswordFits(this.#tried.count))
    if (!interactive) throw error
    this.show(job, 'needs-password', error.message, { tried: this.#tried.text, ...codeOf(error) })
    return false
  }

  #withStoreProblem(error: AppError): AppError {
    const { problem } = this.#settings.passwords
    if (!problem) return error
    return new AppError(error.code, error.message, {
      hint: `Stored passwords could not be tried: ${problem} ${error.hint}`,
      details: error.details,
    })
  }

  async #decrypt(job: JobContext, file: EncFile, signal: AbortSignal): Promise<void> {
    if (!this.#unlocked) return
    const started = performance.now()
    const { key, source } = this.#unlocked
    const { workers, overwrite } = this.#settings
    this.show(job, 'running', 'Decrypting', { passwordSource: source, tried: this.#tried.text })
    const { path, output } = this
    const onProgress = (bytes: number) => {
      this.#done += bytes
      job.advance(bytes)
      job.item(this.id, { done: this.#done })
    }
    const { size, verified } = await writeDecrypted({
      ...{ path, output, file, key, overwrite, workers, signal, onProgress },
      // with the job's holds it tells the next start what to remove after a kill
      partId: job.id,
    })
    const seconds = (performance.now() - started) / 1000
    const reads = verified === 'gzip-ok' ? ' Reads well to its end.' : ''
    this.show(job, 'done', `Done in ${seconds.toFixed(1)} s.${reads}`, { seconds, verified, outputSize: size })
    job.log(`${this.name}: decrypted to ${this.output} with the ${source}.${reads}`)
  }

  /**
   * Tries a password that was typed for this file. True: it fits, and the file can go on.
   * @throws AppError `not-waiting` when this file does not need one
   */
  async tryPassword(job: JobContext, password: string): Promise<boolean> {
    const file = this.#file
    if (this.state !== 'needs-password' || !file) {
      throw new AppError('not-waiting', `${this.name} does not wait for a password.`)
    }
    this.#tried.add({ password, source: 'typed password' })
    const unlocked = await unlockEnc(file.header, [password], job.signal)
    if (!unlocked) {
      this.show(job, 'needs-password', noPasswordFits(1).message, { tried: this.#tried.text, ...codeOf(noPasswordFits(1)) })
      return false
    }
    this.#settings.passwords.addUsed(password)
    this.#unlocked ??= { key: unlocked.key, source: 'typed password' }
    return true
  }

  /** Leaves the file as it is; also in the middle of it. */
  skip(job: JobContext): void {
    if (this.state === 'running') this.#abort.abort(cancelledError())
    else if (this.state === 'waiting' || this.state === 'needs-password')
      this.#end(job, 'skipped', 'Skipped. The .enc file is as it was.')
  }

  /** Ends it with a reason, before anything was done. */
  refuse(job: JobContext, error: AppError): void {
    this.#fail(job, error)
  }

  #fail(job: JobContext, error: AppError): void {
    if (isCancelled(error)) {
      this.#end(job, 'skipped', 'Cancelled. Nothing half-made is left behind; the .enc file is as it was.')
      return
    }
    this.error = error
    this.#end(job, REFUSALS.has(error.code) ? 'refused' : 'failed', error.message, { tried: this.#tried.text, ...codeOf(error) })
    job.log(`${this.name}: ${error.message}`)
  }

  #end(job: JobContext, state: JobItem['state'], detail: string, facts: Record<string, unknown> = {}): void {
    this.#settings.giveUp((this.size ?? 0) - this.#done)
    this.show(job, state, detail, facts)
  }

  /** Puts the item's state where the window and the journal see it. */
  show(job: JobContext, state: JobItem['state'], detail = '', facts: Record<string, unknown> = {}): void {
    this.state = state
    this.#facts = { ...this.#facts, ...facts }
    job.item(this.id, { name: this.name, state, detail, done: this.#done, total: this.size, facts: { ...this.#facts } })
  }
}

function codeOf(error: AppError): { code: string; hint: string } {
  return { code: error.code, hint: error.hint }
}
