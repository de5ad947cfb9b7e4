import { randomBytes, scryptSync } from 'node:crypto'
import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type SecretFile, seal } from '#engine/foundation/settings/secret-crypto.ts'

/** Costs a thousandth of a second; what the app itself takes for a new store is tested apart. */
const COST = { N: 1024, r: 8, p: 1 }

/**
 * Makes the store of passwords of a home folder that has none, empty, with a passphrase that is quickly tried: for tests that
 * start zbd often, each of which would compute a third of a second to open a store of the usual cost.
 */
export async function makeQuickStore(home: string, passphrase: string): Promise<void> {
  const salt = randomBytes(16)
  const key = seal(scryptSync(passphrase, salt, 32, COST), 'master', randomBytes(32))
  const store: SecretFile = {
    version: 1,
    passphrase: { kdf: 'scrypt', ...COST, salt: salt.toString('base64'), key },
    keyring: null,
    entries: {},
  }
  await writeFile(join(home, 'secrets.json'), JSON.stringify(store), { mode: 0o600 })
}
