import type { EngineContext } from '#engine/foundation/context.ts'
import { storedPasswords } from '#engine/foundation/settings/encryption-passwords.ts'
import { toAppError } from '#shared/errors.ts'
import { formatPlural } from '#shared/format.ts'

/** A password to try, and where it comes from, for people. */
export interface Candidate {
  password: string
  /** "stored password of testsite", "given password", "password used earlier". */
  source: string
}

/** The passwords of one run of decryptions. Lives in memory, for as long as the run. */
export class PasswordBook {
  readonly #context: Pick<EngineContext, 'secrets' | 'sites'>
  readonly #given: readonly string[]
  readonly #used: string[] = []
  readonly #stored = new Map<string, Promise<string[]>>()
  /** Look-ups take turns: each may have to ask for the passphrase of the store. */
  #turn: Promise<unknown> = Promise.resolve()
  /** Why stored passwords could not be had; null when they could. */
  problem: string | null = null

  constructor(context: Pick<EngineContext, 'secrets' | 'sites'>, given: readonly string[]) {
    this.#context = context
    this.#given = given
  }

  /**
   * What to try on a file, in order: the stored passwords of its site, those given, those that opened other
   * files of this run, and, only for a file of no known site, those stored for all sites.
   */
  async *candidates(site: string | null, allSites: readonly string[]): AsyncGenerator<Candidate> {
    if (site !== null) yield* this.#storedOf(site)
    for (const password of this.#given) yield { password, source: 'given password' }
    for (const password of [...this.#used]) yield { password, source: 'password used earlier' }
    if (site === null) for (const other of allSites) yield* this.#storedOf(other)
  }

  /** A password that opened a file: tried on the others too. */
  addUsed(password: string): void {
    if (!this.#used.includes(password)) this.#used.push(password)
  }

  /** Grows with every password learnt. */
  get learnt(): number {
    return this.#used.length
  }

  async *#storedOf(site: string): AsyncGenerator<Candidate> {
    let passwords = this.#stored.get(site)
    if (!passwords) {
      passwords = this.#look(site)
      this.#stored.set(site, passwords)
    }
    for (const password of await passwords) yield { password, source: `stored password of ${site}` }
  }

  /** A store that is locked or damaged must not keep the given passwords from being tried. */
  #look(site: string): Promise<string[]> {
    const found = this.#turn
      .then(() => storedPasswords(this.#context, site))
      .catch((error) => {
        this.problem = toAppError(error).message
        return []
      })
    this.#turn = found
    return found
  }
}

/** What was tried on one file: so that no password costs a key derivation twice. */
export class TriedPasswords {
  readonly #passwords = new Set<string>()
  readonly #sources = new Map<string, number>()

  /** False when it was tried before. */
  add({ password, source }: Candidate): boolean {
    if (this.#passwords.has(password)) return false
    this.#passwords.add(password)
    this.#sources.set(source, (this.#sources.get(source) ?? 0) + 1)
    return true
  }

  get count(): number {
    return this.#passwords.size
  }

  /** "tried: stored password of webshop-nl, 2 used earlier"; empty when none was. */
  get text(): string {
    const parts = [...this.#sources].map(([source, count]) => {
      if (source === 'given password') return `${count} given`
      if (source === 'password used earlier') return `${count} used earlier`
      if (source === 'typed password') return `${count} typed`
      return count === 1 ? source : `${formatPlural(count, 'password')} stored${source.slice('stored password'.length)}`
    })
    return parts.length === 0 ? '' : `tried: ${parts.join(', ')}`
  }
}
