import { createHash } from 'node:crypto'
import { cp, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { basename, join } from 'node:path'
import type { Locator } from '@playwright/test'
import { fixture, hasFixtures } from '#test/support/fixtures.ts'
import { type Desk, dragFiles, expect, goTo, pictures, statePictures, test } from './support/desk.ts'
import { jobIs, startedBy } from './support/jobs.ts'

/* Decrypt what a real server encrypted, by dropping it on the window: inside Electron, whose library has no CFB8. */

const ASCII = 'correct horse battery 42!'
const UTF8 = 'zażółć-gęślą-jaźń-🔐'

let folder: string

test.beforeEach(async () => {
  test.skip(!hasFixtures, 'The files of a real server are not beside the project (../shared/fixtures/zotonic).')
  folder = await mkdtemp(join(tmpdir(), 'backup-desk-drop-'))
})
test.afterEach(async ({ desk }) => {
  await goTo(desk.window, 'Decrypt files')
  await rm(folder, { recursive: true, force: true })
})

/** Copies of the server's files, in a folder where something may be written. */
async function copies(...names: string[]): Promise<string[]> {
  const paths = names.map((name) => join(folder, basename(name)))
  for (const [index, name] of names.entries()) await cp(fixture(name), paths[index]!)
  return paths
}

async function expected(file: string): Promise<string> {
  const table = await readFile(fixture('crypto', 'crypto.tsv'), 'utf8')
  const line = table.split('\n').find((text) => text.startsWith(`${file}\t`))
  return line?.split('\t')[6] ?? ''
}

async function sha256(path: string): Promise<string> {
  return createHash('sha256')
    .update(await readFile(path))
    .digest('hex')
}

function fileRow(desk: Desk, name: string): Locator {
  return desk.window.getByRole('list', { name: 'Files' }).getByRole('listitem').filter({ hasText: name })
}

const drop = (desk: Desk, files: string[]) => dragFiles(desk, files, ['dragEnter', 'dragOver', 'drop'])

test('files dropped anywhere are decrypted, each with its own outcome', async ({ desk }) => {
  const { window } = desk
  const names = ['p100001-ascii.bin.enc', 'p31-ascii.bin.enc', 'p100000-utf8.bin.enc', 'bad-prefix.enc', 'bad-header-only.enc']
  const files = await copies(...names.map((name) => `crypto/${name}`))
  await goTo(window, 'All sites')
  await dragFiles(desk, files, ['dragEnter', 'dragOver'])
  await expect(window.getByRole('heading', { name: 'Drop to decrypt 5 files' })).toBeVisible()
  await statePictures(desk, 'decrypt-drop')
  const id = await startedBy(desk, () => dragFiles(desk, files, ['drop']))
  await expect(window.getByRole('heading', { name: 'Decrypt files' })).toBeVisible()
  await expect(fileRow(desk, 'bad-prefix.enc')).toContainText('Left alone')
  await expect(fileRow(desk, 'bad-header-only.enc')).toContainText(/ends too early|too short|not whole/i)

  const ascii = window.getByRole('textbox', { name: 'Password of p100001-ascii.bin.enc' })
  await expect(ascii).toBeVisible()
  await ascii.fill('not the password')
  const tried = Date.now()
  await fileRow(desk, 'p100001-ascii.bin.enc').getByRole('button', { name: 'Try' }).click()
  await expect(fileRow(desk, 'p100001-ascii.bin.enc')).toContainText(
    'The password does not fit this file. Nothing was written; the .enc file is as it was.',
  )
  await expect(ascii).toHaveValue('')
  expect(Date.now() - tried).toBeLessThan(30_000)
  await expect(fileRow(desk, 'p100000-utf8.bin.enc').getByRole('textbox')).toBeVisible()
  await pictures(desk, 'decrypt-needs-password')
  expect(await readdir(folder)).toEqual(names.toSorted())

  await ascii.fill(ASCII)
  await window.keyboard.press('Enter')
  await expect(fileRow(desk, 'p100001-ascii.bin.enc')).toContainText('Done in')
  // a password that opened one file is tried on the others
  await expect(fileRow(desk, 'p31-ascii.bin.enc')).toContainText('Done in')
  await fileRow(desk, 'p100000-utf8.bin.enc').getByRole('textbox').fill(UTF8)
  await window.keyboard.press('Enter')
  await expect(fileRow(desk, 'p100000-utf8.bin.enc')).toContainText('Done in')
  await jobIs(desk, id, 'failed')
  await pictures(desk, 'decrypt-done')
  for (const name of names.slice(0, 3)) expect(await sha256(join(folder, name.replace('.enc', '')))).toBe(await expected(name))
  expect((await readdir(folder)).length).toBe(names.length + 3)
})

test('a backup of a site names itself, and nothing that exists is overwritten', async ({ desk }) => {
  const { window } = desk
  const [file] = await copies('backups/2-encrypted-full-autopw/testsite-1.sql.gz.enc')
  const output = join(folder, 'testsite-1.sql.gz')
  await writeFile(output, 'mine')
  await goTo(window, 'Decrypt files')
  const refused = await startedBy(desk, () => drop(desk, [file!]))
  await jobIs(desk, refused, 'failed')
  await expect(fileRow(desk, 'testsite-1.sql.gz.enc').getByRole('button', { name: 'Choose another folder…' })).toBeVisible()
  await statePictures(desk, 'decrypt-output-exists')
  expect(await readFile(output, 'utf8')).toBe('mine')
  await rm(output)

  const id = await startedBy(desk, () => drop(desk, [file!]))
  await window.getByRole('textbox', { name: 'Password of testsite-1.sql.gz.enc' }).fill('g7t2a-y1fcW-sliow-BBad@<')
  await window.keyboard.press('Enter')
  await jobIs(desk, id, 'done')
  await expect(fileRow(desk, 'testsite-1.sql.gz.enc')).toContainText('Reads well to its end.')
  const files = await readFile(fixture('backups', 'FILES.tsv'), 'utf8')
  expect(files).toContain(await sha256(output))
})

test('a skipped file is left as it was, and the list can be cleared', async ({ desk }) => {
  const { window } = desk
  const [file] = await copies('crypto/p32-utf8.bin.enc')
  await goTo(window, 'Decrypt files')
  const id = await startedBy(desk, () => drop(desk, [file!]))
  await fileRow(desk, 'p32-utf8.bin.enc').getByRole('button', { name: 'Skip p32-utf8.bin.enc' }).click()
  await expect(fileRow(desk, 'p32-utf8.bin.enc')).toContainText('Skipped. The .enc file is as it was.')
  await jobIs(desk, id, 'done')
  expect(await readdir(folder)).toEqual(['p32-utf8.bin.enc'])
  await window.getByRole('button', { name: 'Clear the list' }).click()
  await expect(window.getByRole('heading', { name: 'Drop .enc files anywhere on this window' })).toBeVisible()
})
