import type { SecretStoreState } from '#shared/contract/secrets.ts'

/** Names of secrets: `site/NAME/database-password`, `site/NAME/encryption-password`. */
export type SecretName = `site/${string}/${'database-password' | 'encryption-password'}`

export interface Secrets {
  state(): Promise<SecretStoreState>
  /** null: none stored. @throws AppError `secrets-locked` when there is one but the store is locked */
  get(name: SecretName): Promise<string | null>
  has(name: SecretName): Promise<boolean>
  set(name: SecretName, value: string): Promise<void>
  /** Removes all secrets whose name starts with the prefix; works on a locked store too. */
  removeAll(prefix: string): Promise<void>
  unlock(passphrase: string): Promise<void>
  setPassphrase(passphrase: string): Promise<void>
  lock(): Promise<void>
  /** A feature that keeps the secrets of its own site (the demo) answers for them first. */
  addSource(source: (name: SecretName) => Promise<string | null>): void
}
