import { describe, expect, it } from 'vitest'
import { changesOf, draftErrors } from '#renderer/lib/draft-checks.ts'
import { draftOf, EMPTY_DRAFT, inputOf, nightsChanged, scheduleOf } from '#renderer/lib/site-draft.ts'
import { scheduleSchema, siteInputSchema, siteSchema } from '#shared/model/site.ts'

const site = siteSchema.parse({
  name: 'testsite',
  database: { database: 'zotonic', schema: 'testsite', user: 'zotonic' },
  server: { kind: 'folder', siteDir: '/s', filesDir: '/f', securityDir: '/c' },
  encryption: { enabled: true },
})
const view = {
  site,
  vaultPath: '/v',
  hasDatabasePassword: true,
  hasEncryptionPassword: true,
  hasSshPassword: false,
  hasSshPassphrase: false,
  hasFilestoreSecret: false,
  isDemo: false,
}

const NOTHING = { hasEncryptionPassword: false, hasFilestoreSecret: false }

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

  it('keeps the nights as they are set, whatever is typed of them, and a dump that is not the usual one', () => {
    const schedule = scheduleSchema.parse({ enabled: true, at: '04:30', to: 'server', proofMinutes: 5 })
    const draft = draftOf({ ...view, site: { ...site, schedule, dump: { engine: 'built-in', compression: 9 } } })
    expect(scheduleOf(draft)).toEqual(schedule)
    const typed = { ...draft, nights: false, nightsAt: '05:00' }
    expect(inputOf(typed, schedule)).toMatchObject({ schedule, dump: { engine: 'built-in', compression: 9 } })
    expect(nightsChanged(draft, typed)).toBe(true)
    expect(changesOf(draft, typed)).toEqual(['nights off', 'time of the nights'])
  })

  it('says what is wrong with the nights', () => {
    const errors = draftErrors({ ...draftOf(view), nightsAt: '25:00', proofMinutes: '' }, view)
    expect(errors).toEqual({
      nightsAt: 'A time is written HH:MM, 00:00 to 23:59 UTC.',
      proofMinutes: 'Minutes are a number from 0 to 480.',
    })
  })

  it('leaves the server out when there is none', () => {
    expect(inputOf({ ...draftOf(view), server: 'none' }).server).toBeUndefined()
  })

  it('says in plain words what is missing', () => {
    const errors = draftErrors({ ...EMPTY_DRAFT, server: 'folder', port: '' }, NOTHING)
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
    expect(draftErrors({ ...draftOf(view), name: 'Test site' }, view).name).toContain('starts with a letter')
  })

  it('asks for a password to encrypt with, unless one is stored', () => {
    const draft = { ...draftOf(view), encrypt: true }
    expect(draftErrors(draft, view)).toEqual({})
    expect(draftErrors(draft, NOTHING).encryptionPassword).toBeDefined()
  })

  it('names the changes', () => {
    const before = { ...draftOf(view), encrypt: false }
    expect(changesOf(before, before)).toEqual([])
    expect(changesOf(before, { ...before, encrypt: true, encryptionPassword: 'x' })).toEqual(['encryption on', 'password'])
  })
})
