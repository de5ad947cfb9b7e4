import { cp, readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { ListObjectsV2Command } from '@aws-sdk/client-s3'
import type { Locator, Page } from '@playwright/test'
import { missingCeph, startS3, type TestS3 } from '#test/support/ceph.ts'
import { startZotonicServer, type ZotonicServer } from '#test/support/fake-zotonic/zotonic-server.ts'
import { fixture, hasFixtures } from '#test/support/fixtures.ts'
import { type Postgres15, startPostgres15 } from '#test/support/postgres.ts'
import { whyNoSshd } from '#test/support/sshd.ts'
import {
  backupRow,
  closes,
  confirm,
  confirmationOf,
  expect,
  goTo,
  goToSite,
  pictures,
  quiet,
  statePictures,
  test,
} from './support/desk.ts'
import { jobIs, setPreferences, startedBy } from './support/jobs.ts'

/* A site on a server behind SSH and in a filestore: added by looking at the server, browsed, fetched from, copied to. */

const PASSPHRASE = 'a passphrase for the servers'
const why = whyNoSshd() ?? missingCeph() ?? (hasFixtures ? null : 'the fixtures of a real server are missing')
if (why) console.error(`SKIPPED test/e2e/10-servers.spec.ts: ${why}`)
test.skip(why !== null, why ?? '')
test.describe.configure({ mode: 'serial' })
test.use({ hasOwnHome: true })

let postgres: Postgres15
let server: ZotonicServer
let s3: TestS3

test.beforeAll(async () => {
  if (why) return
  ;[postgres, s3] = await Promise.all([startPostgres15(), startS3()])
  server = await startZotonicServer(postgres, 'servers')
  await cp(fixture('backups', '3-slots-mixed'), server.site.backupDir, { recursive: true })
})
test.afterAll(async () => {
  await server?.stop()
  await Promise.all([postgres?.stop(), s3?.stop()])
})

const field = (window: Page, name: string): Locator => window.getByRole('textbox', { name, exact: true })
const connection = (window: Page, name: string): Locator =>
  window.getByRole('group', { name: 'Connection' }).getByRole('button', { name })
const cell = (window: Page, name: string, column: 'vault' | 'server' | 'filestore'): Locator =>
  backupRow(window, name).getByRole('cell').nth({ vault: 4, server: 5, filestore: 6 }[column])

async function choose(window: Page, combobox: string, option: string): Promise<void> {
  await window.getByRole('combobox', { name: combobox }).click()
  await window.getByRole('option', { name: option, exact: true }).click()
}

/** The backups that the bucket's index names. */
async function inBucket(): Promise<string[]> {
  const { Contents = [] } = await s3.client().send(new ListObjectsV2Command({ Bucket: s3.bucket }))
  return Contents.map(({ Key = '' }) => Key).sort()
}

test('a site is added by looking at its server', async ({ desk }) => {
  const { window } = desk
  await goTo(window, 'All sites')
  await window
    .getByRole('button', { name: /^Add (?:a )?site…?$/ })
    .last()
    .click()
  const { host, port, user = '', keyFile = '' } = server.ssh
  await window.getByRole('combobox', { name: 'Host and port' }).fill(host)
  await field(window, 'Port').fill(String(port))
  await field(window, 'User').fill(user)
  await choose(window, 'Log in with', 'Key file')
  await field(window, 'Key file').fill(keyFile)
  await window.getByText('Where Zotonic', { exact: false }).click()
  await field(window, 'Zotonic command').fill(server.zotonic.command)
  await window.getByRole('button', { name: 'Look at the server' }).click()
  const card = window.getByRole('region', { name: 'Key of an unknown server' })
  await expect(card).toContainText(await server.sshd.fingerprint())
  await expect(card).toContainText('ssh-keygen -lf')
  await pictures(desk, 'add-site-unknown-key')
  await card.getByRole('button', { name: `Accept the key of ${host}` }).click()
  const found = window.getByRole('region', { name: 'What was found' })
  await expect(found.getByRole('listitem').filter({ hasText: 'testsite' })).toContainText('running', { timeout: 60_000 })
  await statePictures(desk, 'add-site-found')
  await found.getByRole('button', { name: 'Choose testsite' }).click()
  await expect(field(window, 'Site name')).toHaveValue('testsite')

  await connection(window, 'Filestore').click()
  await window.getByRole('switch', { name: 'This site has a filestore' }).click({ force: true })
  await field(window, 'Endpoint').fill(s3.endpoint)
  await field(window, 'Bucket').fill(s3.bucket)
  await field(window, 'Prefix').fill('testsite')
  await field(window, 'Access key').fill(s3.accessKeyId)
  await field(window, 'Secret key').fill(s3.secretAccessKey)
  await window.getByRole('button', { name: 'Test', exact: true }).click()
  const result = window.getByRole('region', { name: 'Test result' })
  await expect(result).toContainText(/Works|failed/, { timeout: 60_000 })
  await pictures(desk, 'add-site-tested')
  await expect(result).toContainText('Works')

  await window.getByRole('button', { name: 'Add testsite' }).click()
  const dialog = window.getByRole('dialog', { name: 'Choose a passphrase' })
  for (const name of ['Passphrase', 'The same again']) await dialog.getByRole('textbox', { name }).fill(PASSPHRASE)
  await dialog.getByRole('button', { name: 'Create store' }).click()
  await expect(window.getByRole('heading', { name: 'testsite · Overview' })).toBeVisible({ timeout: 60_000 })
})

test('its backups stand in one table, and one is fetched with the keyboard alone', async ({ desk }) => {
  const { window } = desk
  await window.keyboard.press('Control+0')
  await window.keyboard.press('Control+1')
  await window.keyboard.press('g')
  await window.keyboard.press('b')
  await expect(window.getByRole('heading', { name: 'testsite · Backups' })).toBeVisible()
  const table = window.getByRole('table', { name: 'Backups' })
  await expect(table.getByRole('columnheader')).toHaveText([/Backup/, 'Made', 'Parts', 'Proof', 'Vault', 'Server', 'Filestore'])
  // the newest one is encrypted, and no password is stored: its plan has something to read
  const name = (await table.getByRole('row').nth(2).getByRole('button').textContent()) ?? ''
  await expect(cell(window, name, 'server').getByRole('img', { name: 'On the server', exact: true })).toBeVisible()
  await expect(cell(window, name, 'vault').getByRole('img', { name: 'Not in the vault', exact: true })).toBeVisible()
  await pictures(desk, 'backups-three-places')
  await table.getByRole('row').nth(1).getByRole('button').focus()
  await window.keyboard.press('ArrowDown')
  await expect(window.getByRole('complementary', { name: `Backup ${name}` })).toBeVisible()
  const id = await startedBy(desk, () => window.keyboard.press('f'))
  await jobIs(desk, id, 'done')
  await expect(cell(window, name, 'vault').getByRole('img', { name: 'In the vault', exact: true })).toBeVisible({
    timeout: 60_000,
  })
  await quiet(window)
  expect(await readdir(join(desk.home, 'backups', 'testsite'))).toContain('backup.json')
  await statePictures(desk, 'backups-fetched')
})

test('a backup is copied to the filestore once its plan is confirmed by name', async ({ desk }) => {
  const { window } = desk
  await goToSite(window, 'testsite', 'Backups')
  const newest =
    (await window.getByRole('table', { name: 'Backups' }).getByRole('row').nth(1).getByRole('button').textContent()) ?? ''
  await backupRow(window, newest).getByRole('button').click()
  await window.getByRole('complementary').getByRole('button', { name: 'Copy to the filestore…' }).click()
  await expect(window.getByRole('heading', { name: `Copy ${newest}` })).toBeVisible()
  await expect(window.getByRole('heading', { name: /^Checks/ })).toBeVisible({ timeout: 60_000 })
  await pictures(desk, 'transfer-plan')
  const copy = window.getByRole('button', { name: `Copy ${newest} to the filestore of testsite` })
  const refused = await confirmationOf(desk, () => copy.click())
  await statePictures(desk, 'confirm-transfer', refused)
  await closes(refused, () => refused.keyboard.press('Escape'))
  await expect(window.getByText('Not confirmed.')).toBeVisible()
  expect(await inBucket()).toEqual([])

  const id = await startedBy(desk, async () => confirm(await confirmationOf(desk, () => copy.click()), 'testsite'))
  await jobIs(desk, id, 'done')
  await expect(window.getByText('1 backup copied to the filestore.')).toBeVisible()
  await statePictures(desk, 'transfer-done')
  expect(await inBucket()).toContain('testsite/backup/backup.json')
  await window.getByRole('button', { name: 'Back to the backups' }).click()
  await expect(cell(window, newest, 'filestore').getByRole('img', { name: 'In the filestore', exact: true })).toBeVisible()
})

test('bringing the vault in step is cancelled, and goes on where it stopped', async ({ desk }) => {
  const { window } = desk
  await setPreferences(desk, { transferLimit: 64 })
  await goToSite(window, 'testsite', 'Backups')
  await window.getByRole('button', { name: 'Bring in step…' }).click()
  await expect(window.getByRole('heading', { name: /^Checks/ })).toBeVisible({ timeout: 60_000 })
  await expect(window.getByText('at most 64 KiB/s')).toBeVisible()
  await statePictures(desk, 'sync-plan')
  const fetch = window.getByRole('button', { name: 'Fetch what is missing into the vault of testsite' })
  await fetch.click()
  await expect(window.getByRole('progressbar').first()).toBeVisible()
  await expect(window.getByText(/kB\/s/).first()).toBeVisible({ timeout: 60_000 })
  await statePictures(desk, 'transfer-running')
  await window.getByRole('button', { name: 'Cancel', exact: true }).first().click()
  await expect(window.getByText('Cancelled.')).toBeVisible()
  await statePictures(desk, 'transfer-cancelled')
  await setPreferences(desk, { transferLimit: null })

  await window.getByRole('button', { name: 'Back to the backups' }).click()
  await window.getByRole('button', { name: 'Bring in step…' }).click()
  await expect(window.getByRole('row').filter({ hasText: 'Go on' })).toHaveCount(1, { timeout: 60_000 })
  await statePictures(desk, 'sync-plan-goes-on')
  await fetch.click()
  await expect(window.getByText(/\d+ backups copied to the vault/).first()).toBeVisible({ timeout: 60_000 })
  await window.getByRole('button', { name: 'Back to the backups' }).click()
  await expect(window.getByRole('button', { name: /^Not in vault/ })).toHaveCount(0)

  await window.keyboard.press('Control+k')
  await window.keyboard.type('bring in step')
  await window.getByRole('option', { name: 'vault to filestore' }).click()
  await window.getByRole('checkbox', { name: /^Delete what the filestore has/ }).click()
  await expect(window.getByText('Making the plan again')).toBeHidden({ timeout: 60_000 })
  await statePictures(desk, 'sync-plan-filestore')
  await window.keyboard.press('Escape')
  await goToSite(window, 'testsite', 'Jobs')
  await window
    .getByRole('button', { name: /^Copying backups of testsite/ })
    .first()
    .click()
  await expect(window.getByRole('complementary')).toContainText('copied to the vault')
  await statePictures(desk, 'jobs-transfer')
})

test('a copy that verifying finds damaged is copied again from a good one', async ({ desk }) => {
  const { window } = desk
  const name = 'testsite-5'
  const file = join(desk.home, 'backups', 'testsite', `${name}.sql.gz`)
  const good = await readFile(file)
  const damaged = Buffer.from(good)
  damaged[5000] = (damaged[5000] ?? 0) ^ 1
  await writeFile(file, damaged)
  await goToSite(window, 'testsite', 'Backups')
  await backupRow(window, name).getByRole('button').click()
  await jobIs(desk, await startedBy(desk, () => window.keyboard.press('v')), 'done')
  const inspector = window.getByRole('complementary', { name: `Backup ${name}` })
  await expect(inspector.getByRole('note')).toContainText('The server copy is good: verified to L2')
  await expect(inspector.getByRole('button', { name: `Copy ${name} again from the server to the vault…` })).toBeVisible()
  await pictures(desk, 'backups-copy-again')
  await window.keyboard.press('a')
  await expect(window.getByRole('row').filter({ hasText: name })).toContainText('it is mended', { timeout: 60_000 })
  await statePictures(desk, 'transfer-plan-mends')
  const id = await startedBy(desk, () => window.getByRole('button', { name: `Fetch ${name} into the vault of testsite` }).click())
  await jobIs(desk, id, 'done')
  await window.getByRole('button', { name: 'Back to the backups' }).click()
  await expect(cell(window, name, 'vault').getByRole('img', { name: 'In the vault', exact: true })).toBeVisible()
  expect(await readFile(file)).toEqual(good)
})

test('a restore is loaded by psql on the server, where the dump lies already', async ({ desk }) => {
  const { window } = desk
  const name = 'testsite-5'
  await goToSite(window, 'testsite', 'Backups')
  await backupRow(window, name).getByRole('button').click()
  await window.keyboard.press('r')
  await expect(window.getByRole('heading', { name: 'What is replaced' })).toBeVisible({ timeout: 60_000 })
  const psql = window.getByRole('switch', { name: 'Load the database with psql on the server' })
  await psql.click({ force: true })
  await expect(window.getByText('Making the plan again')).toBeHidden({ timeout: 60_000 })
  await expect(psql).toBeChecked()
  await expect(window.getByText(/the dump lies there already, in .*, and does not travel/).first()).toBeVisible()
  await statePictures(desk, 'restore-plan-server')
  await window.keyboard.press('Escape')
})

test('the server’s own backups are looked at, set and started from here', async ({ desk }) => {
  const { window } = desk
  await goToSite(window, 'testsite', 'Settings')
  await window.getByRole('tab', { name: 'On the server', exact: true }).click()
  await expect(field(window, 'Revisions')).toHaveValue('18')
  await window.getByRole('button', { name: 'Status testsite on the server' }).click()
  const commands = window.getByRole('region', { name: 'Commands on the server' })
  await expect(commands.getByRole('status')).toContainText('testsite: running', { timeout: 60_000 })
  await field(window, 'Revisions').fill('12')
  await pictures(desk, 'settings-on-server')
  const change = await confirmationOf(desk, () =>
    window.getByRole('button', { name: 'Change the backup settings on the server of testsite' }).click(),
  )
  await confirm(change, 'testsite')
  await expect(field(window, 'Revisions')).toHaveValue('12')
  await expect(window.getByText('As the server has it')).toBeVisible()
  await statePictures(desk, 'settings-on-server-changed')
  expect((await server.zotonic.calls()).some((call) => call.includes('flush'))).toBe(true)

  await window.getByRole('tab', { name: 'Nights' }).click()
  await window.getByRole('switch', { name: 'Back up testsite every night' }).click({ force: true })
  await choose(window, 'Into', 'The filestore')
  await expect(window.getByRole('region', { name: 'Coming nights' })).toContainText('Into the filestore.', { timeout: 60_000 })
  await statePictures(desk, 'settings-nights-filestore')
  const nights = await confirmationOf(desk, () => window.getByRole('button', { name: 'Save the settings of testsite' }).click())
  await expect(nights.getByRole('heading')).toContainText('into the filestore')
  await closes(nights, () => nights.keyboard.press('Escape'))
  await window.getByRole('button', { name: 'Discard' }).click()

  await window.getByRole('tab', { name: 'On the server', exact: true }).click()
  const own = await confirmationOf(desk, () => window.getByRole('button', { name: 'Back up testsite on the server' }).click())
  const id = await startedBy(desk, () => confirm(own, 'testsite'))
  const { result } = await jobIs(desk, id, 'done')
  expect(result).toMatchObject({ name: expect.stringMatching(/^testsite-/) })
})

test('a server that is gone, and one whose key changed, are told with what to do', async ({ desk }) => {
  const { window } = desk
  await goToSite(window, 'testsite', 'Backups')
  await server.sshd.kill()
  await window.keyboard.press('F5')
  await expect(window.getByRole('note').filter({ hasText: '127.0.0.1' }).first()).toBeVisible({ timeout: 60_000 })
  await expect(window.getByText('not known').first()).toBeVisible()
  await pictures(desk, 'backups-server-gone')

  await server.sshd.setHostKey()
  await window.getByRole('button', { name: 'Test the connection…' }).click()
  await window.getByRole('button', { name: 'Test', exact: true }).click()
  const card = window.getByRole('region', { name: 'Changed key of a server' })
  await expect(card).toContainText(await server.sshd.fingerprint(), { timeout: 60_000 })
  await expect(card.getByRole('button', { name: /Accept/ })).toHaveCount(0)
  await statePictures(desk, 'settings-changed-key')
  const forget = await confirmationOf(desk, () => card.getByRole('button', { name: 'Forget the old key…' }).click())
  await statePictures(desk, 'confirm-forget-key', forget)
})
