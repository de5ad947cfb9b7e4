import { execFile } from 'node:child_process'
import { chmod, mkdir, open, rm, statfs, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { monitorEventLoopDelay } from 'node:perf_hooks'
import { promisify } from 'node:util'
import { afterAll, describe, expect, it } from 'vitest'
import { createMediaArchive } from '#engine/features/backup/media-archive.ts'
import type { ArchiveProblem } from '#engine/features/backup/tree.ts'
import { restoreMedia } from '#engine/features/restore/media/restore-media.ts'
import { surveyMedia } from '#engine/features/restore/media/survey-media.ts'
import { workerFile } from '#engine/foundation/bundles.ts'
import { createWorkers } from '#engine/foundation/workers.ts'
import { temporaryFolder } from '#test/support/home.ts'
import { watchTurns } from '#test/support/turns.ts'

const run = promisify(execFile)
const CHILD = join(import.meta.dirname, '..', 'support', 'pack-child.ts')
const isHeavy = process.env.HEAVY === '1'
const isRoot = process.getuid?.() === 0
if (!isHeavy) console.error('REDUCED: archives are tried with 3,000 files and one of 100 MB; HEAVY=1 takes 100,000 and 5 GB')
if (!isRoot) console.error('SKIPPED unreadable files: only root can become somebody who may not read them')

const FILES = isHeavy ? 100_000 : 3000
const LARGE = isHeavy ? 5 * 1024 ** 3 : 100 * 1024 ** 2
const { signal } = new AbortController()
const workers = createWorkers({ file: workerFile() })
afterAll(() => workers.close())

/** Runs something and says how far memory grew, how long nothing else had a turn, and how long it took. */
async function watched<T>(what: string, work: () => Promise<T>): Promise<{ result: T; grown: number; block: number }> {
  const delay = monitorEventLoopDelay({ resolution: 2 })
  const turns = watchTurns({ isUserAlone: true })
  const started = performance.now()
  delay.enable()
  try {
    const result = await work()
    const seconds = (performance.now() - started) / 1000
    const { longest, grown } = turns.stop()
    const block = Math.min(longest, delay.max / 1e6)
    console.log(
      `${what}: ${seconds.toFixed(1)} s, memory +${(grown / 1e6).toFixed(0)} MB, longest wait ${(delay.max / 1e6).toFixed(0)} ms, ${longest.toFixed(0)} ms of computing`,
    )
    return { result, grown, block }
  } finally {
    turns.stop()
    delay.disable()
  }
}

async function makeMany(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true })
  for (let at = 0; at < FILES; at += 500) {
    await Promise.all(
      Array.from({ length: Math.min(500, FILES - at) }, (_, more) =>
        writeFile(join(folder, `picture-${at + more}.jpg`), `${at + more}`),
      ),
    )
  }
}

describe('large archives', () => {
  it(`${FILES} small files in one folder: flat memory, nothing held up, and all of them are there and back`, async () => {
    const root = await temporaryFolder()
    const source = join(root, 'archive')
    await makeMany(join(source, '2026'))
    const problems: ArchiveProblem[] = []
    const tar = join(root, 'media.tar')
    const packed = await watched(`packing ${FILES} files`, async () => {
      const out = await open(tar, 'w')
      let bytes = 0
      for await (const piece of createMediaArchive(source, { onProblem: (problem) => problems.push(problem) })) {
        bytes += (await out.write(piece)).bytesWritten
      }
      await out.close()
      return bytes
    })
    expect(problems).toEqual([])
    expect(packed.grown).toBeLessThan(150e6)
    expect(packed.block).toBeLessThan(50)
    await run('tar', ['-C', source, '--sort=name', '-cf', `${tar}.gnu`, '.'])
    await run('cmp', [tar, `${tar}.gnu`])

    const filesDir = join(root, 'restored')
    await mkdir(join(filesDir, 'archive'), { recursive: true })
    const content = async (): Promise<AsyncIterable<Buffer>> => (await open(tar)).createReadStream({ highWaterMark: 256 * 1024 })
    const request = { filesDir, jobId: 'job-1', site: 'testsite', schema: null, workers, signal }
    const restored = await watched(`restoring ${FILES} files`, async () => restoreMedia({ ...request, tar: await content() }))
    expect(restored.result.added).toBe(FILES)
    expect(restored.grown).toBeLessThan(150e6)
    expect(restored.block).toBeLessThan(50)
    const surveyed = await watched(`comparing ${FILES} files`, async () => surveyMedia(await content(), filesDir, { signal }))
    expect(surveyed.result).toMatchObject({ same: FILES, added: 0, replaced: 0, stay: 0 })
    expect(surveyed.block).toBeLessThan(50)
    await rm(root, { recursive: true })
  }, 900_000)

  it(`a file of ${LARGE} bytes, there and back`, async () => {
    const root = await temporaryFolder()
    const disk = await statfs(root)
    expect(disk.bavail * disk.bsize, 'free space for this test').toBeGreaterThan(LARGE * 2)
    const source = join(root, 'archive')
    await mkdir(source)
    const film = join(source, 'film.mp4')
    await writeFile(film, 'the start')
    // holes take no room on the disk
    await truncate(film, LARGE - 7)
    const end = await open(film, 'a')
    await end.write('the end')
    await end.close()
    const filesDir = join(root, 'restored')
    await mkdir(join(filesDir, 'archive'), { recursive: true })
    const request = { filesDir, jobId: 'job-1', site: 'testsite', schema: null, workers, signal }
    const { grown, block, result } = await watched(`${LARGE} bytes`, () =>
      restoreMedia({ ...request, tar: createMediaArchive(source, { onProblem: () => {} }) }),
    )
    expect(result).toMatchObject({ added: 1, bytes: LARGE })
    expect(grown).toBeLessThan(150e6)
    expect(block).toBeLessThan(50)
    await run('cmp', [film, join(filesDir, 'archive', 'film.mp4')])
    await rm(root, { recursive: true })
  }, 900_000)

  it.skipIf(!isRoot)('tells files and folders that may not be read, and fails when that is all of them', async () => {
    const root = await temporaryFolder()
    await chmod(root, 0o755)
    const source = join(root, 'archive')
    await mkdir(join(source, 'closed'), { recursive: true })
    await mkdir(join(source, 'open'))
    await writeFile(join(source, 'closed', 'inside'), 'x')
    await writeFile(join(source, 'open', 'secret'), 'x', { mode: 0o600 })
    await writeFile(join(source, 'open', 'public'), 'x')
    await chmod(join(source, 'closed'), 0o700)
    const nobody = async () => JSON.parse((await run(process.execPath, [CHILD, source], { uid: 65534, gid: 65534 })).stdout)
    const some = await nobody()
    expect(some.problems.map(({ path, code }: ArchiveProblem) => `${path} ${code}`)).toEqual([
      'closed unreadable',
      'open/secret unreadable',
    ])
    expect(some.bytes).toBe(10_240)
    await rm(join(source, 'open', 'public'))
    expect(await nobody()).toMatchObject({ code: 'media-unreadable' })
    await rm(join(source, 'open'), { recursive: true })
    expect(await nobody(), 'a folder that can’t be listed').toMatchObject({ code: 'media-unreadable' })
    await rm(root, { recursive: true })
  })
})
