import { readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { beforeEach, describe, expect, it } from 'vitest'
import { openSshConnections } from '#engine/foundation/connections/ssh/connections.ts'
import { type Home, openHome } from '#engine/foundation/home.ts'
import { type Locks, openLocks } from '#engine/foundation/locks.ts'
import { openPreferences } from '#engine/foundation/settings/preferences.ts'
import { openSecrets } from '#engine/foundation/settings/secrets.ts'
import { openSites } from '#engine/foundation/settings/sites.ts'
import { directWorkers } from '#test/support/direct-workers.ts'
import { temporaryFolder } from '#test/support/home.ts'

const PASSWORD = 'canary-5Xq!7-pässwörd'
const site = { name: 'testsite', database: { database: 'zotonic', schema: 'testsite', user: 'zotonic', password: PASSWORD } }

let home: Home
let locks: Locks
beforeEach(async () => {
  home = await openHome(await temporaryFolder())
  locks = openLocks(home.locks, 'test')
})

const secretsOf = (passphrase: string | null) =>
  openSecrets({ file: home.secretsFile, locks, askPassphrase: async () => passphrase })
const sitesOf = (passphrase: string | null) => {
  const around = { userHome: home.root, env: {} }
  const ssh = openSshConnections({ knownHostsFile: home.knownHostsFile, locks, workers: directWorkers, around })
  return openSites({ home, locks, secrets: secretsOf(passphrase), ssh, onChange: () => {} })
}

describe('secret store', () => {
  it('keeps secrets for the next program, encrypted, with mode 0600', async () => {
    await secretsOf('correct horse').set('site/a/database-password', PASSWORD)
    expect(await secretsOf('correct horse').get('site/a/database-password')).toBe(PASSWORD)
    expect(await readFile(home.secretsFile, 'utf8')).not.toContain('canary')
    expect((await stat(home.secretsFile)).mode & 0o777).toBe(0o600)
  })

  it('refuses a wrong passphrase and stays locked without one', async () => {
    await secretsOf('right').set('site/a/database-password', PASSWORD)
    await expect(secretsOf('wrong').get('site/a/database-password')).rejects.toMatchObject({ code: 'wrong-passphrase' })
    await expect(secretsOf(null).get('site/a/database-password')).rejects.toMatchObject({ code: 'secrets-locked' })
    expect(await secretsOf(null).get('site/b/database-password')).toBeNull()
    expect(await secretsOf(null).has('site/a/database-password')).toBe(true)
  })

  it('creates nothing when there is no passphrase', async () => {
    await expect(secretsOf(null).set('site/a/database-password', PASSWORD)).rejects.toMatchObject({
      code: 'secrets-locked',
      details: { state: 'none' },
    })
    expect(await readdir(home.root)).not.toContain('secrets.json')
  })

  it('opens by the keyring, and by a passphrase that was set later', async () => {
    const keyring = {
      wrap: async (key: Buffer) => Buffer.from(key.toReversed()),
      unwrap: async (key: Buffer) => Buffer.from(key.toReversed()),
    }
    const withKeyring = secretsOf(null)
    withKeyring.setKeyring(keyring)
    await withKeyring.set('site/a/database-password', PASSWORD)
    await expect(secretsOf('any').get('site/a/database-password')).rejects.toMatchObject({ code: 'no-passphrase' })
    await withKeyring.setPassphrase('for the terminal')
    expect(await secretsOf('for the terminal').get('site/a/database-password')).toBe(PASSWORD)
  })

  it('notices an entry that was moved to another name', async () => {
    const store = secretsOf('x')
    await store.set('site/a/database-password', PASSWORD)
    const file = JSON.parse(await readFile(home.secretsFile, 'utf8'))
    file.entries['site/b/database-password'] = file.entries['site/a/database-password']
    await writeFile(home.secretsFile, JSON.stringify(file))
    await expect(store.get('site/b/database-password')).rejects.toMatchObject({ code: 'secret-damaged' })
  })

  it('changes the passphrase, and locks', async () => {
    const store = secretsOf('old')
    await store.set('site/a/database-password', PASSWORD)
    await store.setPassphrase('new')
    await expect(secretsOf('old').get('site/a/database-password')).rejects.toMatchObject({ code: 'wrong-passphrase' })
    await store.lock()
    expect(await store.state()).toMatchObject({ state: 'locked', hasPassphrase: true })
    await expect(store.get('site/a/database-password')).rejects.toMatchObject({ code: 'secrets-locked' })
  })

  it('takes many writers at the same time', async () => {
    const stores = Array.from({ length: 6 }, () => secretsOf('same'))
    await stores[0]?.set('site/first/database-password', 'first')
    await Promise.all(stores.map((store, index) => store.set(`site/s${index}/database-password`, `value ${index}`)))
    const reader = secretsOf('same')
    for (const index of stores.keys()) expect(await reader.get(`site/s${index}/database-password`)).toBe(`value ${index}`)
  })
})

describe('sites', () => {
  it('adds a site and keeps its password out of its file', async () => {
    const view = await sitesOf('pass').add(site)
    expect(view).toMatchObject({
      hasDatabasePassword: true,
      hasEncryptionPassword: false,
      hasSshPassword: false,
      hasSshPassphrase: false,
      hasFilestoreSecret: false,
      site: { version: 1, rotation: 'auto' },
    })
    expect(await readFile(join(home.sites, 'testsite.json'), 'utf8')).not.toContain('canary')
    const again = sitesOf('pass')
    expect(await again.connection(await again.get('testsite'))).toMatchObject({
      host: 'localhost',
      port: 5432,
      password: PASSWORD,
    })
  })

  it('changes nothing while the store is locked', async () => {
    await expect(sitesOf(null).add(site)).rejects.toMatchObject({ code: 'secrets-locked' })
    expect(await readdir(home.sites)).toEqual([])
  })

  it('refuses a second site of a name, unknown keys, bad names, relative paths', async () => {
    const sites = sitesOf('pass')
    await sites.add(site)
    await expect(sites.add(site)).rejects.toMatchObject({ code: 'site-exists' })
    await expect(sites.get('nope')).rejects.toMatchObject({ code: 'unknown-site' })
    await expect(sites.get('../../etc/passwd')).rejects.toMatchObject({ code: 'unknown-site' })
    expect(() => sites.add({ ...site, name: 'Bad Name' })).toThrow()
    expect(() => sites.add({ ...site, name: 'b', filestore: {} } as never)).toThrow()
    expect(() => sites.add({ ...site, name: 'b', vault: { path: 'relative' } })).toThrow(
      expect.objectContaining({ code: 'path-not-absolute' }),
    )
  })

  it('keeps a stored password when an update leaves it out, and forgets it with the site', async () => {
    const sites = sitesOf('pass')
    await sites.add(site)
    await sites.update({ ...site, label: 'New', database: { database: 'zotonic', schema: 'testsite', user: 'zotonic' } })
    expect(await sites.view('testsite')).toMatchObject({ hasDatabasePassword: true, site: { label: 'New' } })
    await sites.remove('testsite')
    expect((await sites.list()).sites).toEqual([])
    expect(await readFile(home.secretsFile, 'utf8')).not.toContain('testsite')
  })

  it('keeps a corrupt file aside and reports it, every time', async () => {
    const sites = sitesOf('pass')
    await sites.add(site)
    await writeFile(join(home.sites, 'broken.json'), '{ "version": 1, "name": ')
    await writeFile(join(home.sites, 'future.json'), '{ "version": 2, "name": "future" }')
    for (const _ of [1, 2]) {
      const { sites: found, problems } = await sites.list()
      expect(found.map((view) => view.site.name)).toEqual(['testsite'])
      expect(problems.map((problem) => problem.code).sort()).toEqual(['settings-corrupt', 'settings-newer'])
    }
    const files = await readdir(home.sites)
    expect(files.some((file) => file.startsWith('broken.json.corrupt-'))).toBe(true)
    expect(await readFile(join(home.sites, 'future.json'), 'utf8')).toContain('"version": 2')
    await expect(sites.add({ ...site, name: 'future' })).rejects.toMatchObject({ code: 'settings-newer' })
  })
})

describe('preferences', () => {
  it('has defaults, merges changes, keeps a corrupt file', async () => {
    const preferences = openPreferences(home.settingsFile, locks)
    expect(await preferences.get()).toEqual({
      version: 1,
      theme: 'system',
      stayInTray: false,
      startAtLogin: false,
      transferLimit: null,
    })
    await preferences.update({ theme: 'dark' })
    expect(await openPreferences(home.settingsFile, locks).get()).toMatchObject({ theme: 'dark' })
    await writeFile(home.settingsFile, 'not json')
    expect(await preferences.get()).toMatchObject({ theme: 'system' })
    expect((await preferences.problems())[0]).toMatchObject({ code: 'settings-corrupt' })
    await writeFile(home.settingsFile, '{"version":9}')
    await expect(preferences.update({ theme: 'dark' })).rejects.toMatchObject({ code: 'settings-newer' })
    expect(await readFile(home.settingsFile, 'utf8')).toBe('{"version":9}')
  })
})
