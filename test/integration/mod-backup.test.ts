import { cp, mkdir, rm } from 'node:fs/promises'
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeEach, describe, expect, onTestFinished, test } from 'vitest'
import { backupSettings, takePassword, updateBackupSettings } from '#engine/features/mod-backup/index.ts'
import type { EngineContext } from '#engine/foundation/context.ts'
import { storedPasswords } from '#engine/foundation/settings/encryption-passwords.ts'
import type { Confirmation } from '#shared/model/plan.ts'
import type { ZotonicServer } from '#test/support/fake-zotonic/zotonic-server.ts'
import { fixture } from '#test/support/fixtures.ts'
import type { Postgres15 } from '#test/support/postgres.ts'
import { useZotonicServer, whyNoServer } from '#test/support/server-stage.ts'
import { startTcpProxy } from '#test/support/tcp-proxy.ts'

const why = whyNoServer('test/integration/mod-backup.test.ts')

/** That of the server's own backups in `2-encrypted-full-autopw`. */
const FITTING = 'g7t2a-y1fcW-sliow-BBad@<'

describe.skipIf(why !== null)('what a site’s mod_backup is set to', () => {
  let postgres: Postgres15
  let server: ZotonicServer
  let context: EngineContext

  useZotonicServer(
    'zsettings',
    (stage) => {
      ;({ postgres, server, context } = stage)
    },
    { isAdded: true },
  )
  beforeEach(async () => {
    await sql("DELETE FROM testsite.config WHERE module = 'mod_backup'")
  })

  const sql = (script: string) => postgres.psql('zsettings', script)
  const set = (key: string, value: string) =>
    sql(`INSERT INTO testsite.config (module, key, value) VALUES ('mod_backup', '${key}', '${value}')`)
  const table = async () =>
    (await sql('SELECT module, key, value FROM testsite.config ORDER BY 1, 2')).split('\n').filter(Boolean)

  test('is read as the server takes it, through the server', async () => {
    expect(await backupSettings(context, 'testsite')).toEqual({
      hasPassword: false,
      settings: {
        daily_dump: 0,
        encrypt_backups: false,
        allow_backup_download: true,
        allow_manual_backup: true,
        admin_panel: false,
        revision_retention_months: 18,
        user_revision_retention_days: 90,
        user_deletion_retention_days: 30,
      },
    })
    await set('daily_dump', '2')
    await set('encrypt_backups', '1')
    await set('allow_manual_backup', 'false')
    await set('admin_panel', 'true')
    await set('revision_retention_months', '0')
    await set('user_deletion_retention_days', '90')
    await set('user_revision_retention_days', 'soon')
    await set('backup_encrypt_password', FITTING)
    const found = await backupSettings(context, 'testsite')
    expect(found).toMatchObject({
      hasPassword: true,
      settings: {
        daily_dump: 2,
        encrypt_backups: true,
        allow_manual_backup: false,
        admin_panel: true,
        revision_retention_months: 1,
        user_deletion_retention_days: 30,
        user_revision_retention_days: 90,
      },
    })
    expect(JSON.stringify(found)).not.toContain(FITTING)
    // what is longer than any setting is not even fetched
    await sql("UPDATE testsite.config SET value = repeat('x', 5000) WHERE key = 'backup_encrypt_password'")
    expect((await backupSettings(context, 'testsite')).hasPassword).toBe(false)
  })

  test('is changed after it was confirmed, alone, and the site forgets the old ones', async () => {
    await set('daily_dump', '1')
    await set('backup_encrypt_password', FITTING)
    const before = await table()
    const asked: Confirmation[] = []
    const asking = (answer: boolean) => ({
      ...context,
      confirm: async (confirmation: Confirmation) => {
        asked.push(confirmation)
        return answer
      },
    })
    const wanted = { daily_dump: 2, encrypt_backups: true, admin_panel: false }
    expect(await updateBackupSettings(asking(false), 'testsite', wanted)).toMatchObject({
      updated: false,
      settings: { daily_dump: 1 },
    })
    expect(await table()).toEqual(before)
    expect(asked[0]?.facts.slice(0, 2)).toEqual([
      { label: 'Nightly backup', text: 'database and files → database only' },
      { label: 'Encrypt backups', text: 'off → on' },
    ])
    const done = await updateBackupSettings(asking(true), 'testsite', wanted)
    expect(done).toMatchObject({ updated: true, flushed: true, advice: '', settings: { daily_dump: 2, encrypt_backups: true } })
    const changed = (await table()).filter((line) => !before.includes(line))
    expect(changed).toEqual(['mod_backup|daily_dump|2', 'mod_backup|encrypt_backups|true'])
    expect((await server.zotonic.calls()).at(-1)).toMatch(/ flush testsite$/)
    expect(await updateBackupSettings(asking(true), 'testsite', wanted)).toMatchObject({ updated: false, flushed: null })
  })

  test('when the command refuses, what is left to do is said', async () => {
    await server.zotonic.change((fake) => {
      fake.refuses = { flush: 'Error: no' }
    })
    onTestFinished(() =>
      server.zotonic.change((fake) => {
        delete fake.refuses
      }),
    )
    const done = await updateBackupSettings(context, 'testsite', { daily_dump: 1 })
    expect(done).toMatchObject({ updated: true, flushed: false, settings: { daily_dump: 1 } })
    expect(done.advice).toMatch(/up to an hour.*flush testsite/)
  })

  test('what somebody else changed while it was confirmed is not written over', async () => {
    const meanwhile = {
      ...context,
      confirm: async () => {
        await set('daily_dump', '1')
        return true
      },
    }
    await expect(updateBackupSettings(meanwhile, 'testsite', { admin_panel: true })).rejects.toMatchObject({
      code: 'changed-meanwhile',
    })
    expect((await table()).filter((line) => line.startsWith('mod_backup'))).toEqual(['mod_backup|daily_dump|1'])
  })

  test('a connection that is lost while it is committed: nobody says that it was changed, or that it was not', async () => {
    await set('daily_dump', '1')
    // what the server does at the COMMIT takes its time
    await sql(`CREATE FUNCTION testsite.slow() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep(30); RETURN NULL; END';
      CREATE CONSTRAINT TRIGGER slow AFTER UPDATE ON testsite.config DEFERRABLE INITIALLY DEFERRED
      FOR EACH ROW EXECUTE FUNCTION testsite.slow()`)
    const sleeping = "FROM pg_stat_activity WHERE wait_event = 'PgSleep' AND query = 'COMMIT'"
    onTestFinished(async () => {
      await sql(`SELECT pg_terminate_backend(pid) ${sleeping}`)
      await sql('DROP FUNCTION testsite.slow CASCADE')
    })
    const proxy = await startTcpProxy(postgres.port)
    onTestFinished(() => proxy.close())
    const { password: _stored, ...database } = server.input().database
    await context.sites.update(server.input({ database: { ...database, port: proxy.port, via: 'direct' } }))
    const failed = expect(updateBackupSettings(context, 'testsite', { daily_dump: 2 })).rejects.toMatchObject({
      code: 'commit-unknown',
      hint: expect.stringContaining('flush testsite'),
    })
    while (!(await sql(`SELECT count(*) ${sleeping}`)).includes('1')) await sleep(50)
    proxy.cut()
    await failed
  })

  test('what was committed is not called unchanged because it can’t be looked at again, and the site forgets the old ones', async () => {
    await set('daily_dump', '1')
    await sql(`CREATE FUNCTION testsite.close_up() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER
      AS 'BEGIN REVOKE SELECT ON testsite.config FROM zotonic; RETURN NULL; END';
      CREATE CONSTRAINT TRIGGER close_up AFTER UPDATE ON testsite.config DEFERRABLE INITIALLY DEFERRED
      FOR EACH ROW EXECUTE FUNCTION testsite.close_up()`)
    onTestFinished(async () => {
      await sql('GRANT SELECT ON testsite.config TO zotonic; DROP FUNCTION testsite.close_up CASCADE')
    })
    expect(await updateBackupSettings(context, 'testsite', { daily_dump: 2 })).toMatchObject({
      updated: true,
      flushed: true,
      settings: { daily_dump: 2, revision_retention_months: 18 },
    })
    expect((await table()).filter((line) => line.startsWith('mod_backup'))).toEqual(['mod_backup|daily_dump|2'])
  })

  test('encryption without a password is not switched on: backups would stay plain', async () => {
    await expect(updateBackupSettings(context, 'testsite', { encrypt_backups: true })).rejects.toMatchObject({
      code: 'no-password-there',
    })
    expect((await table()).filter((line) => line.startsWith('mod_backup'))).toEqual([])
  })

  describe('its encryption password', () => {
    const withEncrypted = async () => {
      await cp(fixture('backups', '2-encrypted-full-autopw'), server.site.backupDir, { recursive: true })
      onTestFinished(async () => {
        await rm(server.site.backupDir, { recursive: true })
        await mkdir(server.site.backupDir)
      })
    }

    test('is kept when it opens the newest encrypted backup: as the site’s, where there is none', async () => {
      await withEncrypted()
      await set('backup_encrypt_password', FITTING)
      const result = await takePassword(context, 'testsite')
      expect(result).toMatchObject({ outcome: 'fits', triedOn: { name: 'testsite-1' } })
      expect(JSON.stringify(result)).not.toContain(FITTING)
      expect(await context.secrets.get('site/testsite/encryption-password')).toBe(FITTING)
    })

    test('is kept beside one that is set, which stays the one of new backups', async () => {
      await withEncrypted()
      await set('backup_encrypt_password', FITTING)
      await context.secrets.set('site/testsite/encryption-password', 'our own')
      expect(await takePassword(context, 'testsite')).toMatchObject({ outcome: 'fits' })
      expect(await storedPasswords(context, 'testsite')).toEqual(['our own', FITTING])
    })

    test('is not kept when it does not fit, is not set, or could not be tried', async () => {
      expect(await takePassword(context, 'testsite')).toMatchObject({ outcome: 'not-set', triedOn: null })
      await set('backup_encrypt_password', 'another one')
      expect(await takePassword(context, 'testsite')).toMatchObject({ outcome: 'nothing-encrypted', triedOn: null })
      await withEncrypted()
      expect(await takePassword(context, 'testsite')).toMatchObject({ outcome: 'does-not-fit', triedOn: { name: 'testsite-1' } })
      expect(await storedPasswords(context, 'testsite')).toEqual([])
    })
  })
})
