import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdir, stat, writeFile } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type Bench, type BenchOptions, type Measured, median } from './bench.ts'

const run = promisify(execFile)
const CHILD = fileURLToPath(new URL('./untar-child.ts', import.meta.url))
const FILE_BYTES = 40 * 1024

/** Media into an empty folder, as a restore writes them: the engine's call in a program of its own, with journal and sync, and all of tar. */
export const benches: Bench[] = [
  {
    name: 'untar',
    against: 'tar -xzf',
    bound: { atMost: 1.5 },
    run: untar,
  },
]

async function untar({ folder, isQuick, say }: BenchOptions): Promise<Measured> {
  const files = isQuick ? 600 : 6000
  const turns = isQuick ? 2 : 5
  const archive = join(folder, 'media.tar.gz')
  await makeArchive(join(folder, 'source'), files, archive)
  const { size } = await stat(archive)
  const [ours, theirs]: [number[], number[]] = [[], []]
  // nothing is removed before the end: ext4 steps over inodes that were freed seconds ago, which slows whoever comes next
  for (let turn = 0; turn < turns; turn++) {
    const filesDir = join(folder, `ours-${turn}`)
    await mkdir(join(filesDir, 'archive'), { recursive: true })
    // what the last turn left to be written must not slow down this one
    await run('sync')
    const env = { ...process.env, UV_THREADPOOL_SIZE: String(availableParallelism() + 4) }
    ours.push(Number((await run(process.execPath, [CHILD, archive, filesDir], { env })).stdout))
    const out = join(folder, `theirs-${turn}`)
    await mkdir(out)
    await run('sync')
    theirs.push(await timed(() => run('tar', ['-C', out, '-xzf', archive])))
    if (turn === 0) await run('diff', ['-rq', join(filesDir, 'archive'), out])
    say(`${ours.at(-1)?.toFixed(2)} s against ${theirs.at(-1)?.toFixed(2)} s`)
  }
  const note = `${files} files of 40 KiB, ${(size / 1e6).toFixed(0)} MB packed; ours with undo journal and everything synced to the disk`
  return { ours: median(ours), theirs: median(theirs), unit: 's', note }
}

async function makeArchive(source: string, files: number, archive: string): Promise<void> {
  for (let at = 0; at < files; at++) {
    const day = join(
      source,
      '2026',
      String(1 + (at % 12)).padStart(2, '0'),
      String(1 + (Math.floor(at / 12) % 28)).padStart(2, '0'),
    )
    await mkdir(day, { recursive: true })
    // as pictures are: little of it can be compressed
    await writeFile(join(day, `picture-${at}.jpg`), Buffer.concat([randomBytes(FILE_BYTES - 4096), Buffer.alloc(4096, 'text ')]))
  }
  await run('tar', ['-C', source, '-czf', archive, '.'])
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const start = performance.now()
  await work()
  return (performance.now() - start) / 1000
}
