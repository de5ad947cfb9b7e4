import { describe, expect, it } from 'vitest'
import { changesOf, draftErrors, draftOf, EMPTY_DRAFT, inputOf } from '#renderer/lib/site-draft.ts'
import { siteInputSchema, siteSchema } from '#shared/model/site.ts'

const site = siteSchema.parse({
  name: 'testsite',
  database: { database: 'zotonic', schema: 'testsite', user: 'zotonic' },
  server: { kind: 'folder', siteDir: '/s', filesDir: '/f', securityDir: '/c' },
  encryption: { enabled: true },
})
const view = { site, vaultPath: '/v', hasDatabasePassword: true, hasEncryptionPassword: true, isDemo: false }

describe('a site as a form', () => {
  it('comes back as it went in, without passwords', () => {
    const input = siteInputSchema.parse(inputOf(draftOf(view)))
    expect(input).toEqual(siteInputSchema.parse(site))
    expect(JSON.stringify(input)).not.toContain('password')
  })

  it('hands in a password only when one was typed', () => {
    expect(inputOf({ ...draftOf(view), password: 'p', encryptionPassword: 'e' })).toMatchObject({
      database: { password: 'p' },
      encryption: { enabled: true, password: 'e' },
    })
  })

  it('leaves the server out when there is none', () => {
    expect(inputOf({ ...draftOf(view), server: 'none' }).server).toBeUndefined()
  })

  it('says in plain words what is missing', () => {
    const errors = draftErrors({ ...EMPTY_DRAFT, server: 'folder', port: '' }, false)
    expect(Object.keys(errors).sort()).toEqual([
      'database',
      'filesDir',
      'name',
      'port',
      'schema',
      'securityDir',
      'siteDir',
      'user',
    ])
    expect(errors.port).toBe('A port is a number from 1 to 65535.')
    expect(draftErrors({ ...draftOf(view), name: 'Test site' }, true).name).toContain('starts with a letter')
  })

  it('asks for a password to encrypt with, unless one is stored', () => {
    const draft = { ...draftOf(view), encrypt: true }
    expect(draftErrors(draft, true)).toEqual({})
    expect(draftErrors(draft, false).encryptionPassword).toBeDefined()
  })

  it('names the changes', () => {
    const before = { ...draftOf(view), encrypt: false }
    expect(changesOf(before, before)).toEqual([])
    expect(changesOf(before, { ...before, encrypt: true, encryptionPassword: 'x' })).toEqual(['encryption on', 'password'])
  })
})
