import { expect, test } from 'vitest'
import { generatePassword, rememberPassword, siteOfFile, storedPasswords } from '#engine/features/encryption/index.ts'
import { openTestContext } from '#test/support/engine-context.ts'
import { temporaryFolder } from '#test/support/home.ts'

test('a generated password has 140 bits in letters that can be told apart', () => {
  const passwords = Array.from({ length: 200 }, generatePassword)
  for (const password of passwords) expect(password).toMatch(/^[0-9a-hjkmnp-tv-z]{4}(-[0-9a-hjkmnp-tv-z]{4}){6}$/)
  expect(new Set(passwords).size).toBe(200)
  // 5600 draws from 32 letters: every one of them comes up
  expect(new Set(passwords.join('').replaceAll('-', '')).size).toBe(32)
})

test.each([
  ['testsite-1.sql.gz.enc', 'testsite'],
  ['testsite-w3.tar.gz.enc', 'testsite'],
  ['config-testsite-4.tar.gz.enc', 'testsite'],
  ['config-2.tar.gz.enc', 'config'],
  ['config-testsite-20261123.tar.gz.enc', 'testsite'],
  ['web-shop-5.sql.gz.enc', 'web-shop'],
  ['web-shop-before-20261123.sql.gz.enc', 'web-shop'],
  ['testsite-1.sql (1).gz.enc', 'testsite'],
  ['unknown-1.sql.gz.enc', null],
  ['notes.enc', null],
])('%s belongs to %s', (name, site) => {
  expect(siteOfFile(name, ['testsite', 'web', 'web-shop', 'config'])).toBe(site)
})

test('remembering never replaces the password that the next backups are encrypted with', async () => {
  const { context, close } = await openTestContext(await temporaryFolder())
  await context.secrets.unlock('open sesame')
  const database = { database: 'd', schema: 's', user: 'u' }
  await context.sites.add({ name: 'testsite', database, encryption: { enabled: true } })
  const { site } = await context.sites.view('testsite')

  expect(await storedPasswords(context, 'testsite')).toEqual([])
  await rememberPassword(context, 'testsite', 'first')
  expect(await context.sites.encryptionPassword(site)).toBe('first')
  await rememberPassword(context, 'testsite', 'of 2024')
  await rememberPassword(context, 'testsite', 'of 2025')
  await rememberPassword(context, 'testsite', 'of 2024')
  expect(await context.sites.encryptionPassword(site)).toBe('first')
  expect(await storedPasswords(context, 'testsite')).toEqual(['first', 'of 2025', 'of 2024'])
  await expect(rememberPassword(context, 'nosuch', 'x')).rejects.toMatchObject({ code: 'unknown-site' })

  await context.sites.remove('testsite')
  expect(await storedPasswords(context, 'testsite')).toEqual([])
  await close()
})
