import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { demoFolders, demoQuery, withOpenTransaction } from './support/demo.ts'
import {
  closes,
  confirm,
  confirmationOf,
  type Desk,
  expect,
  goToSite,
  jobBar,
  pictures,
  statePictures,
  test,
} from './support/desk.ts'
import { jobIs, startedBy } from './support/jobs.ts'

/* Restore: the plan, the shell's confirmation, the run, and the database and media as they were. */

interface State {
  resources: number
  edges: number
  title: string
}

async function stateOf(desk: Desk): Promise<State> {
  const [row] = await demoQuery<State>(
    desk,
    `select (select count(*)::int from rsc) as resources, (select count(*)::int from edge) as edges,
      (select string_agg(md5(props::text), '' order by id) from rsc) as title`,
  )
  if (!row) throw new Error('The demo has no answer.')
  return row
}

/** Newest first. */
async function keptSchemas(desk: Desk): Promise<string[]> {
  const rows = await demoQuery<{ name: string }>(
    desk,
    `select nspname as name from pg_namespace where nspname like 'demo\\_before\\_%' order by 1 desc`,
  )
  return rows.map(({ name }) => name)
}

async function someMedium(desk: Desk): Promise<string> {
  const { archive } = demoFolders(desk)
  const files = await readdir(archive, { recursive: true, withFileTypes: true })
  const medium = files.find((entry) => entry.isFile())
  if (!medium) throw new Error('The demo has no media.')
  return join(medium.parentPath, medium.name)
}

/** Makes a backup of the demo as it is now, in the vault; returns its name. */
async function backUp(desk: Desk): Promise<string> {
  const { window } = desk
  await desk.openDemo()
  await goToSite(window, 'demo', 'Backups')
  const id = await startedBy(desk, () => window.getByRole('button', { name: 'Back up demo now' }).click())
  return ((await jobIs(desk, id, 'done')).result as { name: string }).name
}

/** Opens the plan of the newest backup with the keyboard and waits until it can be read. */
async function openPlan(desk: Desk, name: string): Promise<void> {
  const { window } = desk
  await goToSite(window, 'demo', 'Backups')
  const row = window.getByRole('table', { name: 'Backups' }).getByRole('row').nth(1)
  await expect(row).toContainText('just now')
  await row.getByRole('button').click()
  await window.keyboard.press('r')
  await expect(window.getByRole('heading', { name: `Restore ${name}` })).toBeVisible()
  await expect(window.getByRole('heading', { name: 'What is replaced' })).toBeVisible({ timeout: 60_000 })
}

test('a restore is planned, confirmed by name, run, and undoes what was done since', async ({ desk }) => {
  const { window } = desk
  const name = await backUp(desk)
  const before = await stateOf(desk)
  const medium = await someMedium(desk)
  const content = await readFile(medium)

  await demoQuery(desk, `delete from edge where id in (select id from edge order by id limit 5)`)
  await demoQuery(desk, `update rsc set version = version + 1, props = null where id = 1`)
  await writeFile(medium, 'overwritten by mistake')
  expect(await stateOf(desk)).not.toEqual(before)

  await openPlan(desk, name)
  const edges = window.getByRole('row').filter({ hasText: 'edge' }).first()
  await expect(edges).toContainText('+5')
  await expect(window.getByText('Plan, nothing changed yet')).toBeVisible()
  await pictures(desk, 'restore-plan')

  await window.getByRole('checkbox', { name: 'Media files' }).click()
  await expect(window.getByRole('checkbox', { name: 'Media files' })).not.toBeChecked()
  await expect(window.getByText('Making the plan again')).toBeHidden({ timeout: 60_000 })
  await statePictures(desk, 'restore-plan-database-only')
  await window.getByRole('checkbox', { name: 'Media files' }).click()
  await expect(window.getByText('Making the plan again')).toBeHidden({ timeout: 60_000 })

  const restore = window.getByRole('button', { name: `Restore ${name} onto demo` })
  const refused = await confirmationOf(desk, () => restore.click())
  await expect(refused.getByRole('heading')).toHaveText(`Restore ${name} onto the live site demo?`)
  const run = refused.getByRole('button', { name: 'Restore demo' })
  await expect(run).toBeDisabled()
  await refused.getByRole('textbox').fill('dem')
  await expect(run).toBeDisabled()
  await statePictures(desk, 'confirm-restore', refused)
  await statePictures(desk, 'restore-waiting-for-confirmation')
  await expect(jobBar(window)).toContainText('Waiting for your confirmation of this plan')
  await refused.getByRole('textbox').fill('demo')
  await expect(run).toBeEnabled()
  await statePictures(desk, 'confirm-restore-ready', refused)
  await closes(refused, () => refused.keyboard.press('Escape'))
  await expect(window.getByText('Not confirmed.')).toBeVisible()
  await statePictures(desk, 'restore-not-confirmed')
  expect(await stateOf(desk)).not.toEqual(before)

  const id = await startedBy(desk, async () => confirm(await confirmationOf(desk, () => restore.click()), 'demo'))
  const { result } = await jobIs(desk, id, 'done')
  const { keptSchema } = result as { keptSchema: string }
  await expect(window.getByText(`${name} is restored onto demo.`)).toBeVisible()
  await expect(window.getByText('Restart demo now.')).toBeVisible()
  await expect(window.getByText('zotonic restartsite demo').first()).toBeVisible()
  await expect(
    window.getByRole('listitem').filter({ hasText: 'Load the database' }).getByRole('img', { name: 'done' }),
  ).toBeVisible()
  await pictures(desk, 'restore-done')

  expect(await stateOf(desk)).toEqual(before)
  expect(await readFile(medium)).toEqual(content)
  const kept = await demoQuery<{ edges: number }>(desk, `select count(*)::int as edges from "${keptSchema}".edge`)
  expect(kept).toEqual([{ edges: before.edges - 5 }])
})

test('a restore is undone by its own plan, and what it brought is deleted by another', async ({ desk }) => {
  const { window } = desk
  const name = await backUp(desk)
  const medium = await someMedium(desk)
  await demoQuery(desk, `delete from edge where id in (select id from edge order by id limit 5)`)
  await writeFile(medium, 'overwritten by mistake')
  const changed = await stateOf(desk)
  await openPlan(desk, name)
  const askRestore = () => window.getByRole('button', { name: `Restore ${name} onto demo` }).click()
  await jobIs(desk, await startedBy(desk, async () => confirm(await confirmationOf(desk, askRestore), 'demo')), 'done')
  expect(await stateOf(desk)).not.toEqual(changed)

  await window.getByRole('button', { name: 'Undo this restore…' }).click()
  await expect(window.getByRole('heading', { name: 'Undo a restore' })).toBeVisible()
  await expect(window.getByRole('heading', { name: 'What is replaced' })).toBeVisible({ timeout: 60_000 })
  await expect(window.getByRole('row').filter({ hasText: 'edge' }).first()).toContainText('−5')
  await pictures(desk, 'undo-plan')
  const askUndo = () => window.getByRole('button', { name: 'Undo the restore of demo' }).click()
  const undo = await startedBy(desk, async () => confirm(await confirmationOf(desk, askUndo), 'demo'))
  await jobIs(desk, undo, 'done')
  await expect(window.getByText('demo is as it was before the restore.')).toBeVisible()
  await pictures(desk, 'undo-done')
  expect(await stateOf(desk)).toEqual(changed)
  expect(await readFile(medium, 'utf8')).toBe('overwritten by mistake')

  await window.getByRole('button', { name: 'Back to demo' }).click()
  const section = window.getByRole('heading', { name: 'Kept by restores' })
  await section.scrollIntoViewIfNeeded()
  await pictures(desk, 'kept-states')
  await window
    .getByRole('button', { name: /^Delete what was kept/ })
    .first()
    .click()
  await expect(window.getByRole('heading', { name: 'What is deleted' })).toBeVisible({ timeout: 60_000 })
  await pictures(desk, 'drop-plan')
  const askDrop = () => window.getByRole('button', { name: 'Delete a kept state of demo' }).click()
  const keptBefore = await keptSchemas(desk)
  const drop = await startedBy(desk, async () => confirm(await confirmationOf(desk, askDrop), 'demo'))
  await jobIs(desk, drop, 'done')
  await expect(window.getByText('The kept state is deleted.')).toBeVisible()
  await statePictures(desk, 'drop-done')
  expect(await keptSchemas(desk)).toEqual(keptBefore.slice(1))
  expect(await stateOf(desk)).toEqual(changed)
})

test('a restore that the live site keeps waiting fails, and all is as before', async ({ desk }) => {
  const { window } = desk
  const name = await backUp(desk)
  const medium = await someMedium(desk)
  const before = await stateOf(desk)
  await writeFile(medium, 'newer than the backup')
  await openPlan(desk, name)
  await withOpenTransaction(desk, 'update rsc set version = version + 1 where id = 1', async () => {
    const ask = () => window.getByRole('button', { name: `Restore ${name} onto demo` }).click()
    const id = await startedBy(desk, async () => confirm(await confirmationOf(desk, ask), 'demo'))
    await expect(jobBar(window)).toContainText(`Restoring ${name} onto demo`)
    await expect(window.getByRole('button', { name: 'Cancel the restore' })).toBeVisible()
    await statePictures(desk, 'restore-running')
    const { error } = await jobIs(desk, id, 'failed')
    expect(error?.message).toContain('Database and media are exactly as before.')
  })
  await expect(window.getByRole('alert').filter({ hasText: 'The restore failed.' })).toBeVisible()
  await pictures(desk, 'restore-failed')
  expect(await stateOf(desk)).toEqual(before)
  expect(await readFile(medium, 'utf8')).toBe('newer than the backup')
})

test('a damaged backup has a plan that says so and cannot be run', async ({ desk }) => {
  const { window } = desk
  const name = await backUp(desk)
  const { vault } = demoFolders(desk)
  const database = (await readdir(vault)).find((file) => file.startsWith(`${name}.sql.gz`)) ?? ''
  const path = join(vault, database)
  const whole = await readFile(path)
  await writeFile(path, whole.subarray(0, Math.floor((await stat(path)).size / 2)))
  const before = await stateOf(desk)
  try {
    await goToSite(window, 'demo', 'Backups')
    await window.getByRole('table', { name: 'Backups' }).getByRole('row').nth(1).getByRole('button').click()
    await window.getByRole('complementary').getByRole('button', { name: 'Restore…' }).click()
    const checks = window.getByRole('heading', { name: /^Checks/ })
    const noPlan = window.getByText('There is no plan.')
    await expect(checks.or(noPlan)).toBeVisible({ timeout: 60_000 })
    await expect(window.getByRole('button', { name: `Restore ${name} onto demo` })).toBeDisabled()
    await statePictures(desk, 'restore-plan-damaged')
    await window.keyboard.press('Escape')
    await expect(window.getByRole('heading', { name: 'demo · Backups' })).toBeVisible()
  } finally {
    await rm(path)
    await writeFile(path, whole)
  }
  expect(await stateOf(desk)).toEqual(before)
})
