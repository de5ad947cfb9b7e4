import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { expect, test } from 'vitest'
import {
  createEncryptStream,
  decryptFile,
  generatePassword,
  rememberPassword,
  siteOfFile,
  storedPasswords,
} from '#engine/features/encryption/index.ts'
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

test('a changed password opens the next backups, and those before it still open the older ones', async () => {
  const folder = await temporaryFolder()
  const { context, close } = await openTestContext(folder)
  await context.secrets.unlock('open sesame')
  const database = { database: 'd', schema: 's', user: 'u' }
  const save = (password?: string) =>
    context.sites.update({ name: 'testsite', database, encryption: { enabled: true, ...(password ? { password } : {}) } })
  const encrypted = async (name: string): Promise<string> => {
    const password = await context.sites.encryptionPassword(await context.sites.get('testsite'))
    const path = join(folder, `${name}.enc`)
    await writeFile(path, Readable.from([Buffer.from(name)]).pipe(createEncryptStream(password!)))
    return path
  }

  await context.sites.add({ name: 'testsite', database, encryption: { enabled: true, password: 'first' } })
  const files = [await encrypted('one')]
  await save('second')
  files.push(await encrypted('two'))
  await save('third')
  files.push(await encrypted('three'))
  // what is left out, and what is the same, changes nothing
  await save()
  await save('third')
  const passwords = await storedPasswords(context, 'testsite')
  expect(passwords).toEqual(['third', 'second', 'first'])
  for (const [index, path] of files.entries()) {
    expect(await decryptFile({ path, passwords })).toMatchObject({ passwordIndex: 2 - index })
  }
  // back to an earlier one: nothing is forgotten, nothing kept twice
  await save('first')
  expect(await storedPasswords(context, 'testsite')).toEqual(['first', 'third', 'second'])
  await close()
})

test('a password that cannot be kept any more is not replaced', async () => {
  const { context, close } = await openTestContext(await temporaryFolder())
  await context.secrets.unlock('open sesame')
  const database = { database: 'd', schema: 's', user: 'u' }
  await context.sites.add({ name: 'testsite', database, encryption: { enabled: true, password: 'present' } })
  for (let number = 1; number <= 50; number += 1) {
    await context.secrets.set(`site/testsite/older-${number}/encryption-password`, `older ${number}`)
  }
  const update = context.sites.update({ name: 'testsite', database, encryption: { enabled: false, password: 'new' } })
  await expect(update).rejects.toMatchObject({ code: 'too-many-passwords' })
  const view = await context.sites.view('testsite')
  expect(view.site.encryption).toEqual({ enabled: true })
  expect(await context.sites.encryptionPassword(view.site)).toBe('present')
  await close()
})

test('a password that replaces one of a feature’s own counts, and that one is kept', async () => {
  const { context, close } = await openTestContext(await temporaryFolder(), {
    secrets: { 'site/demo/encryption-password': 'of the demo' },
  })
  await context.secrets.unlock('open sesame')
  const database = { database: 'd', schema: 's', user: 'u' }
  await context.sites.add({ name: 'demo', database, encryption: { enabled: true } })
  expect(await storedPasswords(context, 'demo')).toEqual(['of the demo'])
  await context.sites.update({ name: 'demo', database, encryption: { enabled: true, password: 'mine' } })
  expect(await storedPasswords(context, 'demo')).toEqual(['mine', 'of the demo'])
  await close()
})
