import { execFile } from 'node:child_process'
import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { promisify } from 'node:util'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createMediaArchive } from '#engine/features/backup/media-archive.ts'
import { undoFiles } from '#engine/features/restore/files/undo-files.ts'
import { restoreMedia } from '#engine/features/restore/media/restore-media.ts'
import { surveyMedia } from '#engine/features/restore/media/survey-media.ts'
import { TarWalk } from '#engine/foundation/content/tar-walk.ts'
import { AppError } from '#shared/errors.ts'
import { directWorkers } from '#test/support/direct-workers.ts'
import { temporaryFolder } from '#test/support/home.ts'
import { treeOf } from '#test/support/restore-site.ts'
import { tarByHand } from '#test/support/tar-by-hand.ts'

const run = promisify(execFile)
const { signal } = new AbortController()
const JOB = 'job-1'
const isHeavy = process.env.HEAVY === '1'
const runs = isHeavy ? 3000 : 120

/** Names as an operator's files could have them, long ones and odd ones among them. */
const part = fc
  .oneof(
    fc.string({ unit: 'grapheme', minLength: 1, maxLength: 30 }),
    fc.string({ unit: fc.constantFrom(...'aż 🔐\'"$`\\(){}[]*?;&#!~%=+,-_.'), minLength: 1, maxLength: 40 }),
    fc.integer({ min: 90, max: 250 }).map((length) => 'n'.repeat(length)),
  )
  .map((name) => name.replace(/[/\0\p{Cc}\\]/gu, '_').replace(/[. ]+$/, 'x'))
  .filter((name) => Buffer.byteLength(name) <= 250 && name !== '' && !/^(con|prn|aux|nul|com\d|lpt\d)(\.|$)/i.test(name))
const size = fc.oneof(
  fc.constantFrom(0, 1, 511, 512, 513, 1023, 1024, 10_240, 131_072, 1_048_576, 1_048_577),
  fc.nat({ max: 3000 }),
)
const tree = fc.uniqueArray(
  fc.record({ path: fc.array(part, { minLength: 1, maxLength: 4 }), size, byte: fc.nat({ max: 255 }) }),
  {
    minLength: 1,
    maxLength: 8,
    selector: ({ path }) => path[0],
  },
)

async function makeTree(folder: string, files: { path: string[]; size: number; byte: number }[]): Promise<void> {
  for (const file of files) {
    const path = join(folder, ...file.path)
    await mkdir(dirname(path), { recursive: true })
    await writeFile(path, Buffer.alloc(file.size, file.byte))
  }
}

async function packed(folder: string): Promise<Buffer> {
  const pieces: Buffer[] = []
  const archive = createMediaArchive(folder, {
    onProblem: (problem) => {
      throw new Error(problem.text)
    },
  })
  for await (const piece of archive) pieces.push(piece)
  return Buffer.concat(pieces)
}

async function* cutUp(bytes: Buffer, step: number): AsyncGenerator<Buffer> {
  for (let at = 0; at < bytes.length; at += step) yield bytes.subarray(at, at + step)
}

const folders = (filesDir: string) => ({ filesDir, siteDir: join(filesDir, 'none'), securityDir: join(filesDir, 'none') })

describe('archives of any content', () => {
  it('are byte for byte what GNU tar writes, and come back as they were from GNU tar and from a restore', async () => {
    await fc.assert(
      fc.asyncProperty(tree, fc.integer({ min: 500, max: 70_000 }), async (files, step) => {
        const root = await temporaryFolder()
        const source = join(root, 'archive')
        await makeTree(source, files)
        const ours = await packed(source)
        const gnu = await run('tar', ['-C', source, '--sort=name', '-c', '.'], { encoding: 'buffer', maxBuffer: 1 << 27 })
        expect(ours.equals(gnu.stdout)).toBe(true)

        const walk = new TarWalk()
        for await (const chunk of cutUp(ours, step)) walk.write(chunk)
        expect(walk.end()).toMatch(/^\d+ entr/)

        const filesDir = join(root, 'restored')
        await mkdir(join(filesDir, 'archive'), { recursive: true })
        const request = { filesDir, jobId: JOB, site: 'testsite', schema: null, workers: directWorkers, signal }
        const result = await restoreMedia({ ...request, tar: cutUp(ours, step) })
        expect(result.added).toBe(files.length)
        await run('diff', ['-r', source, join(filesDir, 'archive')])
        expect(await surveyMedia(cutUp(ours, step), filesDir, { signal })).toMatchObject({
          same: files.length,
          added: 0,
          stay: 0,
        })
        await undoFiles(folders(filesDir), JOB)
        expect(await readdir(join(filesDir, 'archive'))).toEqual([])
        await rm(root, { recursive: true })
      }),
      // what some readers of lines take for the end of one
      { numRuns: isHeavy ? 300 : 15, examples: [[[{ path: ['\u2028x', 'a'], size: 0, byte: 0 }], 500]] },
    )
  }, 600_000)

  it('never write elsewhere or hang when bytes of them were changed, and can always be taken back', async () => {
    const good = tarByHand([
      { name: './', type: '5' },
      { name: './2026/', type: '5' },
      { name: './2026/live', content: 'from the backup' },
      { name: '././@LongLink', type: 'L', content: `./2026/${'long'.repeat(40)}\0` },
      { name: `./2026/${'long'.repeat(20)}`, content: 'long name' },
      { name: './new/deep/file', content: 'x'.repeat(1500) },
    ])
    const root = await temporaryFolder()
    const filesDir = join(root, 'files')
    await makeTree(join(filesDir, 'archive'), [{ path: ['2026', 'live'], size: 4, byte: 65 }])
    await makeTree(join(root, 'outside'), [{ path: ['file'], size: 4, byte: 65 }])
    const before = await treeOf(root)
    const change = fc.record({
      at: fc.nat({ max: good.length - 1 }),
      bytes: fc.oneof(
        fc.uint8Array({ minLength: 1, maxLength: 12 }),
        fc.constantFrom('../', '/', '2', '\0', '77777777777').map(Buffer.from),
      ),
    })
    const mutation = fc.record({
      changes: fc.array(change, { minLength: 1, maxLength: 4 }),
      cut: fc.option(fc.nat({ max: good.length })),
    })
    let refused = 0
    await fc.assert(
      fc.asyncProperty(mutation, fc.boolean(), fc.integer({ min: 100, max: 5000 }), async ({ changes, cut }, mend, step) => {
        let tar = Buffer.from(good)
        for (const { at, bytes } of changes) Buffer.from(bytes).copy(tar, at)
        if (mend) mendSums(tar)
        if (cut !== null) tar = tar.subarray(0, cut)
        const survey = await surveyMedia(cutUp(tar, step), filesDir, { signal }).catch(refusal)
        const restored = await restoreMedia({
          tar: cutUp(tar, step),
          filesDir,
          jobId: JOB,
          site: 's',
          schema: null,
          workers: directWorkers,
          signal,
        }).catch(refusal)
        expect(restored === null).toBe(survey === null)
        if (restored === null) refused += 1
        expect(await readdir(root)).toEqual(['files', 'outside'])
        await undoFiles(folders(filesDir), JOB)
        await rm(join(filesDir, 'backup-desk-undo'), { recursive: true, force: true })
        expect(await treeOf(root)).toBe(before)
      }),
      { numRuns: runs },
    )
    expect(refused).toBeGreaterThan(runs / 6)
    expect(refused).toBeLessThan(runs)
  }, 600_000)
})

/** Makes the headers' sums right again, so that what is behind them is looked at. */
function mendSums(tar: Buffer): void {
  for (let at = 0; at + 512 <= tar.length; at += 512) {
    const header = tar.subarray(at, at + 512)
    if (header.toString('latin1', 257, 262) !== 'ustar') continue
    header.fill(' ', 148, 156)
    header.write(
      `${header
        .reduce((sum, byte) => sum + byte, 0)
        .toString(8)
        .padStart(6, '0')}\0 `,
      148,
    )
  }
}

function refusal(error: unknown): null {
  if (error instanceof AppError) return null
  throw error
}
