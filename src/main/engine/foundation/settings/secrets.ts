import { randomBytes } from 'node:crypto'
import type { SecretStoreState } from '#shared/contract/secrets.ts'
import { AppError } from '#shared/errors.ts'
import { writeFileAtomic } from '../files/atomic.ts'
import type { Locks } from '../locks.ts'
import { problemError, readJsonFile } from './json-file.ts'
import { type SecretFile, seal, secretFileSchema, unseal, unwrapKey, wrapKey } from './secret-crypto.ts'

const VERSION = 1

/** Names of secrets: `site/NAME/database-password`, …, `site/NAME/older-N/encryption-password`. */
export type SecretName =
  `site/${string}/${'database-password' | 'encryption-password' | 'ssh-password' | 'ssh-passphrase' | 'filestore-secret'}`

/** The system's keyring, reached through the shell. */
export interface Keyring {
  wrap(key: Buffer): Promise<Buffer>
  unwrap(wrapped: Buffer): Promise<Buffer>
}

/** `secrets.json` (docs/formats.md, "Secret store"): encrypted under a master key that is kept in memory while it is open. */
export interface Secrets {
  state(): Promise<SecretStoreState>
  /** null: none stored. @throws AppError `secrets-locked` when there is one but the store is locked */
  get(name: SecretName): Promise<string | null>
  has(name: SecretName): Promise<boolean>
  /** @throws AppError `secrets-locked`; nothing was changed then */
  set(name: SecretName, value: string): Promise<void>
  /** Removes all secrets whose name starts with the prefix; works on a locked store too. */
  removeAll(prefix: string): Promise<void>
  /** Opens the store, or creates it when there is none. @throws AppError `wrong-passphrase` */
  unlock(passphrase: string): Promise<void>
  /** Sets or changes the passphrase of an open store. */
  setPassphrase(passphrase: string): Promise<void>
  lock(): Promise<void>
  setKeyring(keyring: Keyring | null): void
  /** A feature that keeps the secrets of its own site (the demo) answers for those that were not set since. */
  addSource(source: (name: SecretName) => Promise<string | null>): void
}

/**
 * @param options.askPassphrase asked once when the store is needed and locked (the terminal); null: no answer
 * @param options.onChange told whenever the store was opened, locked or created
 */
export function openSecrets(options: {
  file: string
  locks: Locks
  askPassphrase?: (purpose: 'unlock' | 'create') => Promise<string | null>
  onChange?: (state: SecretStoreState) => void
}): Secrets {
  const { file, locks } = options
  const sources: ((name: SecretName) => Promise<string | null>)[] = []
  let master: Buffer | null = null
  let keyring: Keyring | null = null
  let lockedByHand = false

  async function read(): Promise<SecretFile | null> {
    const found = await readJsonFile(file, secretFileSchema, VERSION)
    if (found.state === 'problem') throw problemError(found.problem)
    return found.state === 'ok' ? found.value : null
  }

  async function change(alter: (store: SecretFile) => void): Promise<void> {
    const lock = await locks.acquire('secrets')
    try {
      const store = (await read()) ?? { version: VERSION, passphrase: null, keyring: null, entries: {} }
      alter(store)
      await writeFileAtomic(file, `${JSON.stringify(store, null, 2)}\n`)
    } finally {
      await lock.release()
    }
  }

  async function stateOf(store: SecretFile | null): Promise<SecretStoreState> {
    return {
      state: store === null ? 'none' : master ? 'unlocked' : 'locked',
      hasPassphrase: store?.passphrase != null,
      hasKeyring: store?.keyring != null,
      keyringAvailable: keyring !== null,
    }
  }

  async function changed(): Promise<void> {
    options.onChange?.(await stateOf(await read()))
  }

  /** The master key: from memory, the keyring or a passphrase asked for; a first use makes the store. */
  async function openMaster(): Promise<Buffer> {
    if (master) return master
    const store = await read()
    if (store?.keyring && keyring && !lockedByHand) {
      master = await keyring.unwrap(Buffer.from(store.keyring, 'base64'))
      await changed()
      return master
    }
    if (store === null && keyring) {
      await create(null)
      return openMaster()
    }
    const passphrase = lockedByHand ? null : await options.askPassphrase?.(store === null ? 'create' : 'unlock')
    if (passphrase) await unlock(passphrase)
    if (master) return master
    throw lockedError(store)
  }

  async function create(passphrase: string | null): Promise<void> {
    const key = randomBytes(32)
    const wrapped = passphrase === null ? null : await wrapKey(key, passphrase)
    const inKeyring = keyring ? (await keyring.wrap(key)).toString('base64') : null
    let lost = false
    await change((store) => {
      // another program may have made the store meanwhile; its key is the one that counts
      lost = store.passphrase !== null || store.keyring !== null
      if (!lost) Object.assign(store, { passphrase: wrapped, keyring: inKeyring })
    })
    if (!lost) master = key
    else if (passphrase !== null) await unlock(passphrase)
    await changed()
  }

  async function unlock(passphrase: string): Promise<void> {
    const store = await read()
    if (store === null) return create(passphrase)
    if (!store.passphrase) {
      throw new AppError('no-passphrase', 'The store of passwords is kept in this computer’s keyring and has no passphrase.', {
        hint: 'In the window, under Preferences, choose "Allow the terminal" and set one.',
      })
    }
    master = await unwrapKey(store.passphrase, passphrase)
    lockedByHand = false
    await changed()
  }

  async function fromSources(name: SecretName): Promise<string | null> {
    for (const source of sources) {
      const value = await source(name)
      if (value !== null) return value
    }
    return null
  }

  return {
    unlock,
    async state() {
      return stateOf(await read())
    },
    async get(name) {
      if (!(await read())?.entries[name]) return fromSources(name)
      const key = await openMaster()
      const sealed = (await read())?.entries[name]
      const plain = sealed ? unseal(key, name, sealed) : null
      if (sealed && !plain) {
        throw new AppError('secret-damaged', `The stored secret "${name}" is damaged or of another store.`, {
          hint: 'Enter this password again in the site’s settings.',
        })
      }
      return plain?.toString('utf8') ?? null
    },
    async has(name) {
      return (await read())?.entries[name] !== undefined || (await fromSources(name)) !== null
    },
    async set(name, value) {
      const key = await openMaster()
      await change((store) => {
        store.entries[name] = seal(key, name, Buffer.from(value, 'utf8'))
      })
    },
    async removeAll(prefix) {
      if ((await read()) === null) return
      await change((store) => {
        for (const name of Object.keys(store.entries)) if (name.startsWith(prefix)) delete store.entries[name]
      })
    },
    async setPassphrase(passphrase) {
      const wrapped = await wrapKey(await openMaster(), passphrase)
      await change((store) => {
        store.passphrase = wrapped
      })
      await changed()
    },
    async lock() {
      master?.fill(0)
      master = null
      lockedByHand = true
      await changed()
    },
    setKeyring(value) {
      keyring = value
    },
    addSource(source) {
      sources.push(source)
    },
  }
}

function lockedError(store: SecretFile | null): AppError {
  return store === null
    ? new AppError('secrets-locked', 'There is no store for passwords yet, so nothing was stored or changed.', {
        hint: 'Choose a passphrase: in the window when asked, in a terminal with --passphrase-file or BACKUP_DESK_PASSPHRASE.',
        details: { state: 'none' },
      })
    : new AppError('secrets-locked', 'The store of passwords is locked. Nothing was changed.', {
        hint: 'Open it with its passphrase: in the window when asked, in a terminal with --passphrase-file or BACKUP_DESK_PASSPHRASE.',
        details: { state: 'locked' },
      })
}
