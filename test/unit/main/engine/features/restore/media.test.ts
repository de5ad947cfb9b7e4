import { existsSync } from 'node:fs'
import {
  chmod,
  cp,
  link,
  mkdir,
  mkdtemp,
  readdir,
  readFile,
  rm,
  stat,
  symlink,
  truncate,
  utimes,
  writeFile,
} from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { undoFiles } from '#engine/features/restore/files/undo-files.ts'
import { MEDIA_LIMITS } from '#engine/features/restore/media/limits.ts'
import { type RestoreMediaRequest, restoreMedia } from '#engine/features/restore/media/restore-media.ts'
import { surveyMedia } from '#engine/features/restore/media/survey-media.ts'
import { directWorkers } from '#test/support/direct-workers.ts'
import { temporaryFolder } from '#test/support/home.ts'
import { treeOf } from '#test/support/restore-site.ts'
import { HAND_TIME, type HandEntry, paxByHand, tarByHand } from '#test/support/tar-by-hand.ts'

const hasOtherDisk = existsSync('/dev/shm')
if (!hasOtherDisk) console.error('SKIPPED media on another disk: there is no /dev/shm')
const JOB = '20261123T094200123-0a1b2c3d'

/** A files folder with three media. */
async function filesFolder(): Promise<string> {
  const filesDir = await temporaryFolder()
  await mkdir(join(filesDir, 'archive', '2026', '11'), { recursive: true })
  for (const [name, content] of Object.entries({ same: 'the same', changed: 'live', longer: 'live content' })) {
    const path = join(filesDir, 'archive', '2026', '11', name)
    await writeFile(path, content)
    await utimes(path, 1000, 1000)
  }
  return filesDir
}

function restore(filesDir: string, tar: Buffer, more: Partial<RestoreMediaRequest> = {}) {
  return restoreMedia({
    tar: Readable.from(cutUp(tar), { objectMode: true }),
    filesDir,
    jobId: JOB,
    site: 'testsite',
    schema: null,
    workers: directWorkers,
    signal: new AbortController().signal,
    ...more,
  })
}

function undoAll(filesDir: string) {
  return undoFiles({ filesDir, siteDir: filesDir, securityDir: filesDir }, JOB)
}

function* cutUp(bytes: Buffer): Generator<Buffer> {
  for (let at = 0; at < bytes.length; at += 700) yield bytes.subarray(at, at + 700)
}

const GOOD: HandEntry[] = [
  { name: './', type: '5', mode: 0o755 },
  { name: './2026/', type: '5', mode: 0o755 },
  { name: './2026/11/same', content: 'the same' },
  { name: './2026/11/changed', content: 'then' },
  { name: './2026/11/longer', content: 'then' },
  { name: './2026/12/new', content: 'new '.repeat(1000), mode: 0o777 },
  { name: './empty/', type: '5', mode: 0o700 },
]

describe('restoring media', () => {
  it('adds, replaces and leaves alone, and puts everything back', async () => {
    const filesDir = await filesFolder()
    const archive = join(filesDir, 'archive')
    const before = await treeOf(archive)
    const survey = await surveyMedia(Readable.from([tarByHand(GOOD)]), filesDir, { signal: new AbortController().signal })
    expect(survey).toMatchObject({ entries: 4, added: 1, replaced: 2, same: 1, stay: 0 })
    expect(await treeOf(archive)).toBe(before)
    expect(await restore(filesDir, tarByHand(GOOD))).toMatchObject({ added: 1, replaced: 2, same: 1 })
    expect(await readFile(join(archive, '2026/11/changed'), 'utf8')).toBe('then')
    expect(await readFile(join(archive, '2026/12/new'), 'utf8')).toBe('new '.repeat(1000))
    const made = await stat(join(archive, '2026/12/new'))
    expect(made.mode & 0o777).toBe(0o644)
    expect(made.mtimeMs).toBe(HAND_TIME * 1000)
    expect((await stat(join(archive, '2026/11/same'))).mtimeMs).toBe(1_000_000)
    const undo = join(filesDir, 'backup-desk-undo', JOB)
    expect((await readdir(join(undo, 'replaced', '2026', '11'))).sort()).toEqual(['changed', 'longer'])
    expect(await undoAll(filesDir)).toEqual({ removed: 1, putBack: 2 })
    expect(await treeOf(archive)).toBe(before)
    expect(await readdir(join(filesDir, 'backup-desk-undo'))).toEqual([])
    expect(await undoAll(filesDir)).toEqual({ removed: 0, putBack: 0 })
  })

  it('leaves nothing to undo when nothing changes', async () => {
    const filesDir = await filesFolder()
    await restore(filesDir, tarByHand([{ name: './2026/11/same', content: 'the same' }]))
    expect(await readdir(join(filesDir, 'backup-desk-undo'))).toEqual([])
  })

  it('leaves files alone that the site changed since', async () => {
    const filesDir = await filesFolder()
    await restore(filesDir, tarByHand(GOOD))
    await writeFile(join(filesDir, 'archive', '2026/12/new'), 'changed by the site')
    expect(await undoAll(filesDir)).toEqual({ removed: 0, putBack: 2 })
    expect(await readFile(join(filesDir, 'archive', '2026/12/new'), 'utf8')).toBe('changed by the site')
  })

  it('finds a difference late in a file', async () => {
    const filesDir = await filesFolder()
    const long = Buffer.alloc(300_000, 'abc')
    await writeFile(join(filesDir, 'archive', 'long'), long)
    const other = Buffer.from(long)
    other[250_000] = 0
    expect(await restore(filesDir, tarByHand([{ name: 'long', content: other }]))).toMatchObject({ replaced: 1 })
    expect((await readFile(join(filesDir, 'archive', 'long'))).equals(other)).toBe(true)
    await undoAll(filesDir)
    expect((await readFile(join(filesDir, 'archive', 'long'))).equals(long)).toBe(true)
  })

  it('reads long names of GNU and of pax', async () => {
    const filesDir = await filesFolder()
    const gnu = `./${'long/'.repeat(25)}gnu-żółć`
    const pax = `./${'long/'.repeat(25)}pax-🔐`
    const tar = tarByHand([
      { name: '././@LongLink', type: 'L', content: `${gnu}\0` },
      { name: gnu.slice(0, 99), content: 'of gnu' },
      paxByHand({ path: pax, mtime: '1700000000.5' }),
      { name: 'short', content: 'of pax' },
    ])
    expect(await restore(filesDir, tar)).toMatchObject({ added: 2 })
    expect(await readFile(join(filesDir, 'archive', gnu), 'utf8')).toBe('of gnu')
    expect(await readFile(join(filesDir, 'archive', pax), 'utf8')).toBe('of pax')
    await undoAll(filesDir)
    expect(await readdir(join(filesDir, 'archive'))).toEqual(['2026'])
  })

  it.skipIf(!hasOtherDisk)('replaces and puts back media that lie on another disk', async () => {
    const filesDir = await filesFolder()
    const disk = await mkdtemp('/dev/shm/backup-desk-test-')
    try {
      const archive = join(filesDir, 'archive')
      await cp(archive, join(disk, 'archive'), { recursive: true, preserveTimestamps: true })
      await rm(archive, { recursive: true })
      await symlink(join(disk, 'archive'), archive)
      await chmod(join(archive, '2026/11/changed'), 0o640)
      const before = await treeOf(archive)
      expect(await restore(filesDir, tarByHand(GOOD))).toMatchObject({ added: 1, replaced: 2, same: 1 })
      expect(await readFile(join(archive, '2026/11/changed'), 'utf8')).toBe('then')
      expect((await stat(join(archive, '2026/12/new'))).mtimeMs).toBe(HAND_TIME * 1000)
      expect(await treeOf(archive)).not.toContain('.part')
      expect(await undoAll(filesDir)).toEqual({ removed: 1, putBack: 2 })
      expect(await treeOf(archive)).toBe(before)
    } finally {
      await rm(disk, { recursive: true })
    }
  })

  it('takes back what a power cut tore, and what was only half put in place', async () => {
    const filesDir = await filesFolder()
    const archive = join(filesDir, 'archive')
    const before = await treeOf(archive)
    await restore(filesDir, tarByHand(GOOD))
    // the name and time of the added file reached the disk, its content did not
    await truncate(join(archive, '2026/12/new'), 0)
    await utimes(join(archive, '2026/12/new'), HAND_TIME, HAND_TIME)
    // the old file was given its second name, and then the power was gone
    const kept = join(filesDir, 'backup-desk-undo', JOB, 'replaced', '2026', '11', 'changed')
    await rm(join(archive, '2026/11/changed'))
    await link(kept, join(archive, '2026/11/changed'))
    await undoAll(filesDir)
    expect(await treeOf(archive)).toBe(before)
  })

  it('does not write over a file that the site made meanwhile', async () => {
    const filesDir = await filesFolder()
    const archive = join(filesDir, 'archive')
    const others = Array.from({ length: 100 }, (_, at) => ({ name: `./2026/11/other-${at}`, content: 'x' }))
    const tar = tarByHand([{ name: './2026/11/new', content: 'then' }, ...others])
    const folder = join(filesDir, 'backup-desk-undo', JOB, 'staged')
    const staged = async () => (await readdir(folder, { recursive: true }).catch(() => [])).length
    async function* source() {
      // a batch is made ready, but before the end of the archive nothing is put in place
      yield tar.subarray(0, 90 * 1024)
      await expect.poll(staged).toBeGreaterThan(1)
      await writeFile(join(archive, '2026/11/new'), 'of the site')
      yield tar.subarray(90 * 1024)
    }
    await expect(restore(filesDir, tar, { tar: source() })).rejects.toMatchObject({ code: 'media-place' })
    await undoAll(filesDir)
    expect(await readFile(join(archive, '2026/11/new'), 'utf8')).toBe('of the site')
  })

  it('keeps what is replaced readable at every moment', async () => {
    const filesDir = await filesFolder()
    const path = join(filesDir, 'archive', '2026/11/changed')
    let isOver = false
    let missing = 0
    const watching = (async () => {
      while (!isOver) await readFile(path).catch(() => (missing += 1))
    })()
    for (let round = 0; round < 8; round += 1) {
      await restore(filesDir, tarByHand([{ name: './2026/11/changed', content: `round ${round}` }]))
      await undoAll(filesDir)
    }
    isOver = true
    await watching
    expect(missing).toBe(0)
  })

  it('stops when it is cancelled, and can be undone', async () => {
    const filesDir = await filesFolder()
    const before = await treeOf(join(filesDir, 'archive'))
    const abort = new AbortController()
    const entries = Array.from({ length: 1200 }, (_, at) => ({ name: `./n${at}`, content: `${at}` }))
    const tar = tarByHand(entries)
    async function* source() {
      yield tar.subarray(0, tar.length - 20 * 1024)
      abort.abort()
      yield tar.subarray(tar.length - 20 * 1024)
    }
    await expect(restore(filesDir, tar, { tar: source(), signal: abort.signal })).rejects.toThrow()
    expect((await readdir(join(filesDir, 'archive'))).length).toBeGreaterThan(100)
    await undoAll(filesDir)
    expect(await treeOf(join(filesDir, 'archive'))).toBe(before)
    expect(MEDIA_LIMITS.entries).toBe(2_000_000)
  })
})
