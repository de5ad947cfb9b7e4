import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { readdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { beforeEach, describe, expect, it } from 'vitest'
import { type Home, openHome } from '#engine/foundation/home.ts'
import { openJobs } from '#engine/foundation/jobs/jobs.ts'
import { createJournal } from '#engine/foundation/jobs/journal.ts'
import { createRateMeter } from '#engine/foundation/jobs/rate-meter.ts'
import { openLocks } from '#engine/foundation/locks.ts'
import { openLog, redact } from '#engine/foundation/log.ts'
import { ownIdentity } from '#engine/foundation/process-identity.ts'
import { AppError } from '#shared/errors.ts'
import type { Job } from '#shared/model/job.ts'
import { temporaryFolder } from '#test/support/home.ts'

let home: Home
beforeEach(async () => {
  home = await openHome(await temporaryFolder())
})

function queue(program = 'test') {
  const seen: Job[] = []
  const locks = openLocks(home.locks, program)
  const jobs = openJobs({ folder: home.jobs, locks, log: openLog(home.logs, program), program, emit: (job) => seen.push(job) })
  return { jobs, locks, seen }
}

const spec = { kind: 'backup', title: 'Backing up testsite', site: 'testsite', holds: ['site:testsite'] } as const

describe('jobs', () => {
  it('runs one to its end, with progress, steps and a journal', async () => {
    const { jobs, seen } = queue()
    const { id, done } = jobs.start({
      ...spec,
      holds: [...spec.holds],
      async run(job) {
        job.phase('Reading', 100, 'bytes')
        job.advance(60)
        return job.step('a', 'Step a', async () => 42)
      },
    })
    expect(await done).toBe(42)
    const { job, log } = await jobs.show(id)
    expect(job).toMatchObject({ state: 'done', result: 42, seen: true, items: [{ id: 'a', state: 'done' }] })
    expect(log.map((line) => line.text)).toEqual(['Reading'])
    expect(seen.map((entry) => entry.state)).toEqual(expect.arrayContaining(['queued', 'running', 'done']))
    expect(await readdir(home.locks)).toEqual([])
  })

  it('fails with the error that was thrown, unseen until marked', async () => {
    const { jobs } = queue()
    const { id, done } = jobs.start({
      ...spec,
      holds: [],
      run: async () => {
        throw new AppError('disk-full', 'The disk is full.', { hint: 'Free some.' })
      },
    })
    await expect(done).rejects.toMatchObject({ code: 'disk-full' })
    expect((await jobs.show(id)).job).toMatchObject({
      state: 'failed',
      seen: false,
      error: { code: 'disk-full', hint: 'Free some.' },
    })
    await jobs.markSeen(id)
    expect((await jobs.list())[0]).toMatchObject({ id, seen: true })
  })

  it('cancels: the signal reaches the work, the state says so', async () => {
    const { jobs } = queue()
    const { id, done } = jobs.start({ ...spec, holds: [], run: (job) => sleep(60_000, undefined, { signal: job.signal }) })
    await sleep(50)
    expect(await jobs.cancel(id)).toBe(true)
    await expect(done).rejects.toMatchObject({ code: 'cancelled' })
    expect((await jobs.show(id)).job).toMatchObject({ state: 'cancelled', error: null })
  })

  it('is cancelled by another program', async () => {
    const one = queue('window')
    const two = queue('zbd')
    const { id, done } = one.jobs.start({ ...spec, holds: [], run: (job) => sleep(60_000, undefined, { signal: job.signal }) })
    // it is told to others by its journal
    const state = async () => (await two.jobs.show(id).catch(() => null))?.job.state
    await expect.poll(state).toBe('running')
    expect(await two.jobs.cancel(id)).toBe(true)
    await expect(done).rejects.toMatchObject({ code: 'cancelled' })
  })

  it('lets two jobs on the same site run one after the other', async () => {
    const one = queue('window')
    const two = queue('zbd')
    let inside = 0
    const run = async () => {
      inside += 1
      expect(inside).toBe(1)
      await sleep(80)
      inside -= 1
    }
    await Promise.all([
      one.jobs.start({ ...spec, holds: ['site:testsite'], run }).done,
      two.jobs.start({ ...spec, holds: ['site:testsite'], run }).done,
    ])
  })

  it('shows a job of a dead program as interrupted, and one of a live program as running', async () => {
    const child = spawn(process.execPath, ['-e', 'setTimeout(() => {}, 60000)'])
    const base: Job = {
      ...spec,
      id: '20261123T000000000-dead',
      holds: [],
      state: 'running',
      createdAt: new Date().toISOString(),
      startedAt: null,
      endedAt: null,
      phase: null,
      items: [],
      question: null,
      result: null,
      error: null,
      program: 'zbd',
      seen: true,
    }
    const write = async (id: string, owner: { pid: number; start: string | null }) => {
      const journal = await createJournal(home.jobs, id)
      await journal.append({ type: 'created', at: base.createdAt, owner, job: { ...base, id } }, true)
      await journal.close()
    }
    const start = (await readFile(`/proc/${child.pid}/stat`, 'latin1')).split(') ')[1]?.split(' ')[19] ?? null
    await write('20261123T000000000-dead', { pid: child.pid ?? 0, start })
    await write('20261123T000000000-live', ownIdentity())
    child.kill('SIGKILL')
    await once(child, 'exit')
    const { jobs } = queue()
    expect((await jobs.list()).find((job) => job.id.endsWith('dead'))).toMatchObject({ state: 'interrupted' })
    expect((await jobs.sweep()).map((job) => job.id)).toEqual(['20261123T000000000-dead'])
    expect(await jobs.sweep()).toEqual([])
    const states = Object.fromEntries((await jobs.list()).map((job) => [job.id.slice(-4), job.state]))
    expect(states).toEqual({ dead: 'interrupted', live: 'running' })
    expect(await readFile(join(home.jobs, '20261123T000000000-dead.jsonl'), 'utf8')).toContain('"interrupted"')
  })

  it('tells progress at most ten times a second', async () => {
    const { jobs, seen } = queue()
    const started = performance.now()
    await jobs.start({
      ...spec,
      holds: [],
      async run(job) {
        job.phase('Reading', null, 'bytes')
        for (let step = 0; step < 100; step += 1) {
          job.advance(1)
          await sleep(5)
        }
      },
    }).done
    expect(seen.length).toBeLessThan(10 + (performance.now() - started) / 100)
  })
})

describe('locks', () => {
  it('breaks a lock of a dead process only', async () => {
    const child = spawn(process.execPath, ['-e', ''])
    await once(child, 'exit')
    const locks = openLocks(home.locks, 'test')
    await locks.acquire('site:a')
    expect(await locks.tryAcquire('site:a')).toBeNull()
    const file = join(home.locks, (await readdir(home.locks))[0] ?? '')
    const owner = JSON.parse(await readFile(file, 'utf8'))
    await writeFile(file, JSON.stringify({ ...owner, pid: child.pid, start: '1' }))
    expect(await locks.tryAcquire('site:a')).not.toBeNull()
    expect(await locks.tryAcquire('site:a')).toBeNull()
  })

  it('takes a pid that was given to a later process as dead', async () => {
    const locks = openLocks(home.locks, 'test')
    await locks.acquire('site:a')
    const file = join(home.locks, (await readdir(home.locks))[0] ?? '')
    const owner = JSON.parse(await readFile(file, 'utf8'))
    await writeFile(file, JSON.stringify({ ...owner, start: '1' }))
    expect(await locks.tryAcquire('site:a')).not.toBeNull()
  })

  it('stops waiting when told to', async () => {
    const locks = openLocks(home.locks, 'test')
    await locks.acquire('site:a')
    await expect(locks.acquire('site:a', { signal: AbortSignal.timeout(50) })).rejects.toThrow()
  })
})

describe('rate meter', () => {
  it('judges by the last seconds', () => {
    let now = 0
    const meter = createRateMeter(() => now)
    expect(meter.rate()).toBeNull()
    for (; now < 10_000; now += 100) meter.add(10)
    expect(meter.rate()).toBeCloseTo(100, -1)
    now += 5000
    expect(meter.rate()).toBe(0)
  })
})

describe('log', () => {
  it('keeps what stands under secret-looking keys out', () => {
    expect(redact({ password: 'a', nested: { apiToken: 'b', hasPassword: true }, list: [{ secretKey: 'c' }] })).toEqual({
      password: '***',
      nested: { apiToken: '***', hasPassword: true },
      list: [{ secretKey: '***' }],
    })
  })
})
