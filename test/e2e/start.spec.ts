import { spawn } from 'node:child_process'
import { readdir, readFile } from 'node:fs/promises'
import { availableParallelism, loadavg } from 'node:os'
import { join } from 'node:path'
import { chromium, expect, test } from '@playwright/test'
import { debuggerAddress, electronExecutable, projectRoot, sandboxFlags } from './support/app.ts'
import { temporaryHome } from './support/home.ts'

const LIMIT_MS = 1500

/** Starts the app as a person does and says after how many milliseconds its engine ran and its page was drawn. */
async function measureStart(): Promise<{ engine: number; page: number }> {
  const home = await temporaryHome()
  const begun = Date.now()
  const child = spawn(electronExecutable(), [...sandboxFlags(), '--remote-debugging-port=0', projectRoot], {
    env: { ...process.env, BACKUP_DESK_HOME: home.path },
    stdio: ['ignore', 'ignore', 'pipe'],
  })
  const browser = await chromium.connectOverCDP(await debuggerAddress(child))
  const context = browser.contexts()[0]
  const page = context?.pages()[0] ?? (await context?.waitForEvent('page'))
  if (!page) throw new Error('the app opened no window')
  await page
    .getByRole('button', { name: /add a site/i })
    .first()
    .waitFor()
  const drawn = await page.evaluate(() => {
    const paints = performance.getEntriesByName('first-contentful-paint')
    return performance.timeOrigin + (paints[0]?.startTime ?? performance.now())
  })
  const engine = await engineStarted(home.path)
  const ended = new Promise((resolve) => child.once('exit', resolve))
  child.kill('SIGTERM')
  await ended
  await browser.close().catch(() => {})
  await home.remove()
  return { engine: engine - begun, page: drawn - begun }
}

async function engineStarted(home: string): Promise<number> {
  for (const name of await readdir(join(home, 'logs'))) {
    for (const line of (await readFile(join(home, 'logs', name), 'utf8')).split('\n')) {
      if (line.includes('"engine started"')) return Date.parse((JSON.parse(line) as { at: string }).at)
    }
  }
  throw new Error('the engine did not log its start')
}

test(`engine and window are there within ${LIMIT_MS} ms`, async () => {
  // the best of several: a machine that does other things at the same time tells nothing about the app
  let best = { engine: Number.POSITIVE_INFINITY, page: Number.POSITIVE_INFINITY }
  for (let attempt = 1; attempt <= 5; attempt++) {
    const run = await measureStart()
    console.log(`start ${attempt}: engine after ${Math.round(run.engine)} ms, page drawn after ${Math.round(run.page)} ms`)
    if (Math.max(run.engine, run.page) < Math.max(best.engine, best.page)) best = run
    if (Math.max(best.engine, best.page) < LIMIT_MS) break
  }
  const isBusy = (loadavg()[0] ?? 0) > availableParallelism()
  if (isBusy) console.log(`this machine is busy (load ${loadavg()[0]?.toFixed(1)}): three times ${LIMIT_MS} ms are let pass`)
  const limit = isBusy ? 3 * LIMIT_MS : LIMIT_MS
  expect(best.engine).toBeLessThan(limit)
  expect(best.page).toBeLessThan(limit)
})
