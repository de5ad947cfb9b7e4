import { describe, expect, it } from 'vitest'
import { discoveryOf, draftOfFound, foundText, unknownKeyOf } from '#renderer/lib/discovery.ts'
import { draftErrors } from '#renderer/lib/draft-checks.ts'
import { draftOf, EMPTY_DRAFT, inputOf } from '#renderer/lib/site-draft.ts'
import type { Job } from '#shared/model/job.ts'
import type { ZotonicSite } from '#shared/model/server.ts'
import { siteInputSchema, siteSchema } from '#shared/model/site.ts'

const found: ZotonicSite = {
  name: 'testsite',
  state: 'running',
  environment: 'production',
  hostname: 'www.example.org',
  found: {
    siteDir: '/home/zotonic/sites/testsite',
    filesDir: '/home/zotonic/files',
    securityDir: '/home/zotonic/security',
    database: siteSchema.shape.database.parse({ database: 'zotonic', schema: 'testsite', user: 'zotonic', via: 'ssh' }),
  },
  hasDatabasePassword: true,
  hasFilestoreSecret: false,
  missing: [],
}

const typed = {
  ...EMPTY_DRAFT,
  server: 'ssh' as const,
  sshHost: 'web1',
  sshUser: 'deploy',
  sshJumps: 'a@gate:2222, hop',
  sshPassword: 'p',
}

describe('a site that was found on a server', () => {
  it('becomes a form that can be added as it is', () => {
    const draft = draftOfFound(found, 'd1', typed)
    expect(draftErrors(draft, { hasEncryptionPassword: false, hasFilestoreSecret: false })).toEqual({})
    expect(siteInputSchema.parse(inputOf(draft))).toMatchObject({
      name: 'testsite',
      discovery: 'd1',
      database: { via: 'ssh', schema: 'testsite' },
      server: { kind: 'ssh', ssh: { host: 'web1', user: 'deploy', jumps: ['a@gate:2222', 'hop'] }, siteDir: found.found.siteDir },
      sshSecrets: { password: 'p' },
    })
  })

  it('asks for what was not found, and takes nothing over from a site that was chosen before', () => {
    const bucket = { bucket: 'b', accessKeyId: 'k', region: 'eu', prefix: '', pathStyle: true }
    const first = draftOfFound({ ...found, found: { ...found.found, filestore: bucket } }, 'd1', typed)
    expect(first.filestore).toBe(true)
    const second = draftOfFound({ ...found, name: 'other', found: {} }, 'd1', first)
    expect(second.filestore).toBe(false)
    const errors = draftErrors(second, { hasEncryptionPassword: false, hasFilestoreSecret: false })
    expect(Object.keys(errors).sort()).toEqual(['database', 'filesDir', 'securityDir', 'siteDir', 'user'])
    expect(foundText({ ...found, found: {} })).toBe('Nothing but its name')
    expect(foundText(found)).toBe('database with its password, folders')
  })

  it('comes back from its settings as it went in', () => {
    const site = siteSchema.parse({
      name: 'testsite',
      database: { ...found.found.database, tls: 'verify-full', caFile: '/ca.pem' },
      server: {
        kind: 'ssh',
        ssh: { host: 'web1', port: 2222, auth: 'key', keyFile: '/k' },
        siteDir: '/s',
        filesDir: '/f',
        securityDir: '/c',
      },
      zotonic: { command: '/opt/zotonic/bin/zotonic', runAs: 'zotonic' },
      filestore: { endpoint: 'https://s3.example.org', bucket: 'b', prefix: 'x/y', accessKeyId: 'k' },
      encryption: { enabled: false },
    })
    const view = {
      site,
      vaultPath: '/v',
      hasDatabasePassword: true,
      hasEncryptionPassword: false,
      hasSshPassword: false,
      hasSshPassphrase: false,
      hasFilestoreSecret: true,
      isDemo: false,
    }
    expect(siteInputSchema.parse(inputOf(draftOf(view)))).toEqual(siteInputSchema.parse(site))
    expect(draftErrors({ ...draftOf(view), sshKeyFile: '', filestoreBucket: '', sshPort: '0' }, view)).toEqual({
      sshKeyFile: 'The key file is needed.',
      filestoreBucket: 'The name of the bucket is needed.',
      sshPort: 'A port is a number from 1 to 65535.',
    })
    expect(draftErrors({ ...draftOf(view), sshJumps: 'a b@c@d' }, view).sshJumps).toContain('[USER@]HOST[:PORT]')
  })
})

describe('a job that looked at a server', () => {
  const job = (change: Partial<Job>) => ({ kind: 'discover', state: 'done', result: null, error: null, ...change }) as Job

  it('tells what it found, once it is done', () => {
    const result = { discovery: 'd1', command: '/opt/zotonic', sites: [found] }
    expect(discoveryOf(job({ result }))?.sites[0]?.name).toBe('testsite')
    expect(discoveryOf(job({ state: 'running', result }))).toBeNull()
  })

  it('tells the key that must be accepted first, and no other failure for one', () => {
    const details = { host: 'web1', port: 22, type: 'ssh-ed25519', fingerprint: 'SHA256:x' }
    const error = { code: 'host-key-unknown', message: '', hint: '', details }
    expect(unknownKeyOf(job({ state: 'failed', error }))).toEqual(details)
    expect(unknownKeyOf(job({ state: 'failed', error: { ...error, code: 'host-key-changed' } }))).toBeNull()
  })
})
