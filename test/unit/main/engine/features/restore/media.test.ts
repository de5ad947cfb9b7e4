import { mkdir, readdir, readFile, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { describe, expect, it } from 'vitest'
import { undoFiles } from '#engine/features/restore/files/undo-files.ts'
import { MEDIA_LIMITS } from '#engine/features/restore/media/limits.ts'
import { type RestoreMediaRequest, restoreMedia } from '#engine/features/restore/media/restore-media.ts'
import { surveyMedia } from '#engine/features/restore/media/survey-media.ts'
import { temporaryFolder } from '#test/support/home.ts'
import { codeOf } from '#test/support/repository-contract.ts'
import { treeOf } from '#test/support/restore-site.ts'

const JOB = '20261123T094200123-0a1b2c3d'
const TIME = 1_700_000_000

interface Entry {
  name: string
  content?: string | Buffer
  type?: string
  size?: number
  link?: string
  mode?: number
}

/** A tar archive by hand, so that it can hold what no tar program would write. */
function tarOf(entries: Entry[], options: { end?: boolean; after?: Buffer } = {}): Buffer {
  const blocks: Buffer[] = []
  for (const { name, content = '', type = '0', size, link = '', mode = 0o644 } of entries) {
    const bytes = Buffer.from(content)
    const header = Buffer.alloc(512)
    header.write(name, 0, 100)
    header.write(`${mode.toString(8).padStart(7, '0')}\0`, 100)
    header.write(`${(size ?? bytes.length).toString(8).padStart(11, '0')}\0`, 124)
    header.write(`${TIME.toString(8).padStart(11, '0')}\0`, 136)
    header.fill(' ', 148, 156)
    header.write(type, 156)
    header.write(link, 157)
    header.write('ustar  \0', 257)
    header.write(
      `${header
        .reduce((sum, byte) => sum + byte, 0)
        .toString(8)
        .padStart(6, '0')}\0 `,
      148,
    )
    blocks.push(header, bytes, Buffer.alloc((512 - (bytes.length % 512)) % 512))
  }
  return Buffer.concat([...blocks, Buffer.alloc(options.end === false ? 0 : 1024), options.after ?? Buffer.alloc(0)])
}

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

const GOOD: Entry[] = [
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
    const survey = await surveyMedia(Readable.from([tarOf(GOOD)]), filesDir, { signal: new AbortController().signal })
    expect(survey).toMatchObject({ entries: 4, added: 1, replaced: 2, same: 1, stay: 0 })
    expect(await treeOf(archive)).toBe(before)
    expect(await restore(filesDir, tarOf(GOOD))).toMatchObject({ added: 1, replaced: 2, same: 1 })
    expect(await readFile(join(archive, '2026/11/changed'), 'utf8')).toBe('then')
    expect(await readFile(join(archive, '2026/12/new'), 'utf8')).toBe('new '.repeat(1000))
    const made = await stat(join(archive, '2026/12/new'))
    expect(made.mode & 0o777).toBe(0o644)
    expect(made.mtimeMs).toBe(TIME * 1000)
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
    await restore(filesDir, tarOf([{ name: './2026/11/same', content: 'the same' }]))
    expect(await readdir(join(filesDir, 'backup-desk-undo'))).toEqual([])
  })

  it('leaves files alone that the site changed since', async () => {
    const filesDir = await filesFolder()
    await restore(filesDir, tarOf(GOOD))
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
    expect(await restore(filesDir, tarOf([{ name: 'long', content: other }]))).toMatchObject({ replaced: 1 })
    expect((await readFile(join(filesDir, 'archive', 'long'))).equals(other)).toBe(true)
    await undoAll(filesDir)
    expect((await readFile(join(filesDir, 'archive', 'long'))).equals(long)).toBe(true)
  })

  it.each<[string, string, Entry[], { end?: boolean; after?: Buffer }?]>([
    ['a path out of the folder', 'media-name', [{ name: './../evil', content: 'x' }]],
    ['a path out of the folder and back', 'media-name', [{ name: './2026/../../archive/evil', content: 'x' }]],
    ['an absolute path', 'media-name', [{ name: '/tmp/backup-desk-evil', content: 'x' }]],
    ['a drive', 'media-name', [{ name: 'C:evil', content: 'x' }]],
    ['a backslash', 'media-name', [{ name: '..\\evil', content: 'x' }]],
    ['a line end', 'media-name', [{ name: './a\nb', content: 'x' }]],
    ['an empty part', 'media-name', [{ name: './a//b', content: 'x' }]],
    ['a name of a device', 'media-name', [{ name: './2026/NUL', content: 'x' }]],
    ['a name of a device with an ending', 'media-name', [{ name: './com1.jpg', content: 'x' }]],
    ['a dot at the end', 'media-name', [{ name: './evil.', content: 'x' }]],
    ['a blank at the end', 'media-name', [{ name: './evil ', content: 'x' }]],
    ['a symbolic link', 'archive-refused', [{ name: './evil', type: '2', link: '/etc' }]],
    [
      'a link, then a file behind it',
      'archive-refused',
      [
        { name: './e', type: '2', link: '/tmp' },
        { name: './e/x', content: 'x' },
      ],
    ],
    ['a hard link', 'archive-refused', [{ name: './evil', type: '1', link: './2026/11/same' }]],
    ['a device', 'archive-refused', [{ name: './evil', type: '3' }]],
    ['a pipe', 'archive-refused', [{ name: './evil', type: '6' }]],
    ['a sparse file', 'archive-refused', [{ name: './evil', type: 'S' }]],
    [
      'a name twice',
      'media-duplicate',
      [
        { name: './a', content: 'x' },
        { name: 'a', content: 'y' },
      ],
    ],
    ['a file where a folder is', 'media-duplicate', [{ name: './2026/11', content: 'x' }]],
    ['a folder where a file is', 'media-place', [{ name: './2026/11/same/', type: '5' }]],
    ['a file below a file', 'media-place', [{ name: './2026/11/same/x', content: 'x' }]],
    ['the folder itself as a file', 'media-duplicate', [{ name: '.', content: 'x' }]],
    ['a size that is not there', 'archive-cut', [{ name: './a', content: 'x', size: 5000 }]],
    ['no end mark', 'archive-cut', [{ name: './a', content: 'x' }], { end: false }],
    ['something behind the end', 'archive-damaged', [{ name: './a', content: 'x' }], { after: Buffer.from('x') }],
    ['too many entries', 'media-too-much', Array.from({ length: 12 }, (_, at) => ({ name: `./${at}` }))],
    ['too large a file', 'media-too-much', [{ name: './a', content: 'x'.repeat(101_000) }]],
    ['too much in sum', 'media-too-much', ['a', 'b', 'c'].map((name) => ({ name, content: 'x'.repeat(99_000) }))],
  ])('refuses %s, and everything is as before', async (_name, code, entries, options) => {
    const filesDir = await filesFolder()
    const before = await treeOf(filesDir)
    const limits = { entries: 10, fileBytes: 100_000, bytes: 250_000 }
    const tar = tarOf([{ name: './2026/11/changed', content: 'then' }, { name: './added', content: 'x' }, ...entries], options)
    const survey = surveyMedia(Readable.from([tar]), filesDir, { signal: new AbortController().signal, limits })
    expect(await codeOf(survey)).toBe(code)
    expect(await codeOf(restore(filesDir, tar, { limits }))).toBe(code)
    await undoAll(filesDir)
    await rm(join(filesDir, 'backup-desk-undo'), { recursive: true, force: true })
    expect(await treeOf(filesDir)).toBe(before)
  })

  it('follows no link that lies in the way', async () => {
    const filesDir = await filesFolder()
    const elsewhere = await temporaryFolder()
    await writeFile(join(elsewhere, 'file'), 'elsewhere')
    await symlink(elsewhere, join(filesDir, 'archive', 'linked'))
    await symlink(join(elsewhere, 'file'), join(filesDir, 'archive', 'file'))
    expect(await codeOf(restore(filesDir, tarOf([{ name: './linked/file', content: 'x' }])))).toBe('media-place')
    expect(await codeOf(restore(filesDir, tarOf([{ name: './linked/new', content: 'x' }])))).toBe('media-place')
    expect(await codeOf(restore(filesDir, tarOf([{ name: './file', content: 'x' }])))).toBe('media-place')
    expect(await readdir(elsewhere)).toEqual(['file'])
    expect(await readFile(join(elsewhere, 'file'), 'utf8')).toBe('elsewhere')
  })

  it('reads long names of GNU and of pax', async () => {
    const filesDir = await filesFolder()
    const gnu = `./${'long/'.repeat(25)}gnu-żółć`
    const pax = `./${'long/'.repeat(25)}pax-🔐`
    const record = ` path=${pax}\n`
    const length = Buffer.byteLength(record) + 3
    const tar = tarOf([
      { name: '././@LongLink', type: 'L', content: `${gnu}\0` },
      { name: gnu.slice(0, 99), content: 'of gnu' },
      { name: 'pax', type: 'x', content: `${length}${record}` },
      { name: 'short', content: 'of pax' },
    ])
    expect(await restore(filesDir, tar)).toMatchObject({ added: 2 })
    expect(await readFile(join(filesDir, 'archive', gnu), 'utf8')).toBe('of gnu')
    expect(await readFile(join(filesDir, 'archive', pax), 'utf8')).toBe('of pax')
    await undoAll(filesDir)
    expect(await readdir(join(filesDir, 'archive'))).toEqual(['2026'])
  })

  it('stops when it is cancelled, and can be undone', async () => {
    const filesDir = await filesFolder()
    const before = await treeOf(join(filesDir, 'archive'))
    const abort = new AbortController()
    const entries = Array.from({ length: 500 }, (_, at) => ({ name: `./n${at}`, content: `${at}` }))
    const tar = tarOf(entries)
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
