import { mkdir, rmdir, stat } from 'node:fs/promises'
import { basename, dirname, resolve } from 'node:path'
import type { EngineContext } from '#engine/foundation/context.ts'
import type { JobContext } from '#engine/foundation/jobs/types.ts'
import { AppError, cancelledError, toAppError } from '#shared/errors.ts'
import { formatPlural } from '#shared/format.ts'
import { DecryptItem, type FileOutcome, type ItemSettings } from './decrypt-item.ts'
import { decryptedPath } from './output-file.ts'
import { PasswordBook } from './password-book.ts'
import { rememberPassword, siteOfFile } from './stored-passwords.ts'

/** Two at a time keep disk and cores busy; more only make each of them slower. */
const SIDE_BY_SIDE = 2

/** What a job holds of each output, before its path. */
export const OUTPUT_HOLD = 'file:'

export interface DecryptRequest {
  files: readonly string[]
  out?: string
  passwords: readonly string[]
  overwrite: boolean
  interactive: boolean
}

export interface DecryptResult {
  files: FileOutcome[]
}

type Context = Pick<EngineContext, 'jobs' | 'sites' | 'secrets' | 'locks' | 'workers' | 'emit'>

/** One decrypt job: its files, and what the operator does to them while it runs. */
export class DecryptRun {
  readonly #context: Context
  readonly #out: string | undefined
  readonly #items: DecryptItem[]
  #ready: DecryptItem[]
  #job: JobContext | null = null
  #total: number
  #wake: () => void = () => {}

  private constructor(context: Context, out: string | undefined, makeItems: (giveUp: (bytes: number) => void) => DecryptItem[]) {
    this.#context = context
    this.#out = out
    this.#items = makeItems((bytes) => {
      this.#total -= bytes
      this.#job?.setTotal(this.#total)
    })
    this.#ready = [...this.#items]
    this.#total = this.#items.reduce((sum, item) => sum + (item.size ?? 0), 0)
  }

  /** Looks at the files' names and sizes; nothing else happens before {@link start}. */
  static async prepare(context: Context, request: DecryptRequest): Promise<DecryptRun> {
    const knownSites = (await context.sites.list()).sites.map(({ site }) => site.name)
    const passwords = new PasswordBook(context, request.passwords)
    const out = request.out === undefined ? undefined : resolve(request.out)
    const paths = [...new Set(request.files.map((file) => resolve(file)))]
    const sizes = await Promise.all(
      paths.map((path) =>
        stat(path).then(
          (facts) => (facts.isFile() ? facts.size : null),
          () => null,
        ),
      ),
    )
    return new DecryptRun(context, out, (giveUp) => {
      const { overwrite, interactive } = request
      const settings: ItemSettings = { workers: context.workers, passwords, overwrite, interactive, knownSites, giveUp }
      return paths.map((path, index) => {
        const name = basename(path)
        const site = siteOfFile(name, knownSites)
        const about = { id: `file-${index + 1}`, name, path, output: decryptedPath(path, out), site, size: sizes[index] ?? null }
        return new DecryptItem(about, settings)
      })
    })
  }

  /** Starts the job. `ended` is called when it is over. */
  start(ended: (jobId: string) => void): string {
    const [first] = this.#items
    const sites = new Set(this.#items.map((item) => item.site))
    const [site] = sites
    const handle = this.#context.jobs.start<DecryptResult>({
      kind: 'decrypt',
      title: this.#items.length === 1 && first ? `Decrypting ${first.name}` : `Decrypting ${this.#items.length} files`,
      ...(sites.size === 1 && site ? { site } : {}),
      holds: [...new Set(this.#items.map((item) => OUTPUT_HOLD + item.output))],
      run: (job) => this.#run(job),
    })
    handle.done.catch(() => {}).finally(() => ended(handle.id))
    return handle.id
  }

  async #run(job: JobContext): Promise<DecryptResult> {
    this.#job = job
    job.phase('Decrypting', this.#total, 'bytes')
    for (const item of this.#items) item.show(job, 'waiting')
    this.#refuseSameOutput(job)
    const removeIfEmpty = await makeFolder(this.#out)
    try {
      await this.#runAll(job)
    } finally {
      await removeIfEmpty()
    }
    return this.#conclude()
  }

  /** Two files of the same name from different folders would end up as one. */
  #refuseSameOutput(job: JobContext): void {
    const taken = new Map<string, string>()
    for (const item of this.#items) {
      const other = taken.get(item.output)
      if (other === undefined) taken.set(item.output, item.path)
      else item.refuse(job, sameOutput(item, other))
    }
  }

  async #runAll(job: JobContext): Promise<void> {
    const running = new Set<Promise<void>>()
    const onAbort = () => this.#wake()
    job.signal.addEventListener('abort', onAbort, { once: true })
    let asked: string | null = null
    try {
      for (;;) {
        const woken = new Promise<void>((resolve) => {
          this.#wake = resolve
        })
        this.#ready = this.#ready.filter((item) => item.state === 'waiting' || item.state === 'needs-password')
        while (!job.signal.aborted && running.size < SIDE_BY_SIDE) {
          const item = this.#ready.shift()
          if (!item) break
          const work = item.run(job).finally(() => {
            running.delete(work)
            this.#wake()
          })
          running.add(work)
        }
        const needing = this.#items.filter((item) => item.state === 'needs-password')
        if (running.size === 0 && (job.signal.aborted || needing.length === 0)) break
        const question = running.size === 0 ? questionFor(needing) : null
        if (question !== asked) job.waitFor(question)
        asked = question
        await woken
      }
    } finally {
      job.signal.removeEventListener('abort', onAbort)
    }
    if (!job.signal.aborted) return
    for (const item of this.#items) item.skip(job)
    throw cancelledError()
  }

  #conclude(): DecryptResult {
    const files = this.#items.map((item) => item.outcome)
    const bad = this.#items.filter((item) => item.error !== null)
    const [only] = bad
    if (!only?.error) return { files }
    if (this.#items.length === 1) throw only.error
    const names = bad.slice(0, 3).map((item) => item.name)
    if (bad.length > names.length) names.push(`${bad.length - names.length} more`)
    throw new AppError(
      'decrypt-incomplete',
      `${bad.length} of ${formatPlural(files.length, 'file')} could not be decrypted: ${names.join(', ')}. ` +
        'The others are complete; every .enc file is as it was.',
      { hint: 'See the reason at each file.', details: { files } },
    )
  }

  /**
   * Tries a password on a file that needs one; when it fits, that file goes on, and it is tried on the others too.
   * @throws AppError `unknown-item`, `not-waiting`, `unknown-site` (`rememberFor`)
   */
  async tryPassword(itemId: string, password: string, rememberFor?: string): Promise<boolean> {
    const { item, job } = this.#find(itemId)
    if (rememberFor !== undefined) await this.#context.sites.get(rememberFor)
    if (!(await item.tryPassword(job, password))) return false
    this.#ready.push(...this.#items.filter((one) => one.state === 'needs-password' && !this.#ready.includes(one)))
    this.#wake()
    if (rememberFor !== undefined) await this.#remember(job, rememberFor, password)
    return true
  }

  /** The file is being decrypted either way: that its password could not be kept is told in the job's log. */
  async #remember(job: JobContext, site: string, password: string): Promise<void> {
    try {
      await rememberPassword(this.#context, site, password)
      job.log(`The password was stored for ${site}.`)
      this.#context.emit({ type: 'sites-changed' })
    } catch (error) {
      job.log(`The password could not be stored for ${site}: ${toAppError(error).message}`)
    }
  }

  /** Leaves a file as it is; also one that is being decrypted. */
  skip(itemId: string): void {
    const { item, job } = this.#find(itemId)
    item.skip(job)
    this.#wake()
  }

  #find(itemId: string): { item: DecryptItem; job: JobContext } {
    const item = this.#items.find((one) => one.id === itemId)
    if (!item || !this.#job) throw new AppError('unknown-item', 'This job has no such file.')
    return { item, job: this.#job }
  }
}

function questionFor(needing: readonly DecryptItem[]): string {
  const [first] = needing
  return needing.length === 1 && first ? `Which password opens ${first.name}?` : `${needing.length} files need a password.`
}

function sameOutput(item: DecryptItem, other: string): AppError {
  return new AppError('output-exists', `${other} is decrypted to the same name. ${item.path} was left alone.`, {
    hint: 'Decrypt it on its own, into another folder.',
    details: { output: item.output },
  })
}

/** Makes a folder where there is none; the returned function removes what it made, as far as it is empty. */
async function makeFolder(folder: string | undefined): Promise<() => Promise<void>> {
  if (folder === undefined) return async () => {}
  const first = await mkdir(folder, { recursive: true }).catch((error) => {
    throw toAppError(error)
  })
  return async () => {
    if (first === undefined) return
    for (let made = folder; made.length >= first.length; made = dirname(made)) {
      // one that is not empty holds what was decrypted, and its parents are not empty then either
      if (
        await rmdir(made).then(
          () => false,
          () => true,
        )
      )
        return
    }
  }
}
