import { spawnSync } from 'node:child_process'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterEach, expect, test } from 'vitest'
import { createWorkers, type Workers } from '#engine/foundation/workers.ts'
import { allowed } from '#test/support/patience.ts'

const file = new URL('../../../../support/test-worker.ts', import.meta.url)
let workers: Workers

function open(options: { size?: number; idleMs?: number } = {}): Workers {
  workers = createWorkers({ file, size: 2, ...options })
  return workers
}

afterEach(() => workers.close())

test('runs tasks by name and returns their results, each to its own caller', async () => {
  open()
  const results = await Promise.all([1, 2, 3, 4, 5].map((number) => workers.run<{ number: number }>('echo', { number })))
  expect(results.map(({ number }) => number)).toEqual([1, 2, 3, 4, 5])
})

test('moves buffers there and back instead of copying them', async () => {
  open()
  const buffer = new Uint8Array([1, 2, 3]).buffer
  const result = await workers.run<Uint8Array>('addOne', { buffer }, { transfer: [buffer] })
  expect([...result]).toEqual([2, 3, 4])
  expect(buffer.byteLength).toBe(0)
})

test('hands on the error of a task, our own with all it says', async () => {
  open()
  await expect(workers.run('refuse', null)).rejects.toMatchObject({
    code: 'test-refusal',
    hint: 'Try something else.',
    details: { at: 7 },
  })
  await expect(workers.run('fail', null)).rejects.toMatchObject({ code: 'internal', message: 'a mistake' })
  await expect(workers.run('toString', null)).rejects.toMatchObject({ code: 'internal' })
})

test('a payload that cannot be sent rejects its task only', async () => {
  open({ size: 1 })
  await expect(workers.run('echo', { call: () => 1 })).rejects.toThrow(/could not be cloned/)
  expect(await workers.run('echo', 'still here')).toBe('still here')
})

test('an abort ends a task that is under way, one that waits, and one that did not start', async () => {
  open({ size: 1 })
  const abort = new AbortController()
  const running = workers.run('block', null, { signal: abort.signal })
  const waiting = workers.run('echo', 1, { signal: abort.signal })
  const other = workers.run('echo', 2)
  await sleep(100)
  abort.abort()
  await expect(running).rejects.toMatchObject({ code: 'cancelled' })
  await expect(waiting).rejects.toMatchObject({ code: 'cancelled' })
  await expect(workers.run('echo', 3, { signal: abort.signal })).rejects.toMatchObject({ code: 'cancelled' })
  expect(await other).toBe(2)
})

test.each(['crash', 'leave'])('a thread that ends by "%s" rejects its task and is replaced', async (task) => {
  open({ size: 1 })
  const crashed = workers.run(task, null)
  const next = workers.run('echo', 'next')
  await expect(crashed).rejects.toMatchObject({ code: 'worker-crashed' })
  expect(await next).toBe('next')
})

test('a worker file that does not load rejects each task instead of starting for ever', async () => {
  workers = createWorkers({ file: new URL('./no-such-worker.ts', import.meta.url), size: 1 })
  await expect(Promise.allSettled([workers.run('echo', 1), workers.run('echo', 2)])).resolves.toMatchObject([
    { status: 'rejected', reason: { code: 'worker-crashed' } },
    { status: 'rejected', reason: { code: 'worker-crashed' } },
  ])
})

test('works at most `size` tasks at a time', async () => {
  open({ size: 2 })
  await Promise.all([workers.run('echo', 0), workers.run('echo', 0)])
  const started = performance.now()
  await Promise.all([1, 2, 3, 4].map(() => workers.run('sleep', 150)))
  const took = performance.now() - started
  expect(took).toBeGreaterThan(290)
  expect(took).toBeLessThan(allowed(590))
})

test('idle threads end, and a later task starts a new one', async () => {
  open({ size: 1, idleMs: 50 })
  expect(await workers.run('echo', 'first')).toBe('first')
  await sleep(200)
  expect(await workers.run('echo', 'second')).toBe('second')
})

test('close rejects what runs and what waits', async () => {
  open({ size: 1 })
  const both = Promise.allSettled([workers.run('block', null), workers.run('echo', 1)])
  await workers.close()
  expect(await both).toMatchObject([{ reason: { code: 'cancelled' } }, { reason: { code: 'cancelled' } }])
  await expect(workers.run('echo', 1)).rejects.toMatchObject({ code: 'cancelled' })
})

test('idle threads do not keep a program alive', () => {
  const script = `
    const { createWorkers } = await import(${JSON.stringify(new URL('../../../../../src/main/engine/foundation/workers.ts', import.meta.url).href)})
    const workers = createWorkers({ file: new URL(${JSON.stringify(file.href)}), idleMs: 60_000 })
    console.log(await workers.run('echo', 'done'))`
  const started = performance.now()
  const program = spawnSync(process.execPath, ['--input-type=module', '-e', script], { encoding: 'utf8', timeout: 50_000 })
  expect(program.stdout).toBe('done\n')
  expect(performance.now() - started).toBeLessThan(50_000)
})
