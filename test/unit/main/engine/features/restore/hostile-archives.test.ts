import { lstat, mkdir, readdir, readFile, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { gzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { undoFiles } from '#engine/features/restore/files/undo-files.ts'
import { restoreMedia } from '#engine/features/restore/media/restore-media.ts'
import { surveyMedia } from '#engine/features/restore/media/survey-media.ts'
import { gunzip } from '#engine/foundation/content/gunzip.ts'
import { directWorkers } from '#test/support/direct-workers.ts'
import { temporaryFolder } from '#test/support/home.ts'
import { codeOf } from '#test/support/repository-contract.ts'
import { treeOf } from '#test/support/restore-site.ts'
import { HAND_TIME, type HandEntry, headerByHand, paxByHand, tarByHand } from '#test/support/tar-by-hand.ts'

const JOB = '20261123T094200123-0a1b2c3d'
const LIMITS = { entries: 30, fileBytes: 100_000, bytes: 250_000 }

interface Case {
  what: string
  /** The error's code. */
  code: string
  entries?: HandEntry[]
  tar?: () => Buffer
  /** The system whose names count. */
  platform?: 'win32' | 'darwin' | 'linux'
}

const file = (name: string | Buffer, more: Partial<HandEntry> = {}): HandEntry => ({ name, content: 'x', ...more })
const longLink = (name: string): HandEntry => ({ name: '././@LongLink', type: 'L', content: `${name}\0` })
const octal = (text: string) => Buffer.from(text.padEnd(12, '\0'))

const ways = (names: string[], code: string, what: string, platform?: Case['platform']): Case[] =>
  names.map((name) => ({
    what: `${what}: ${JSON.stringify(name)}`,
    code,
    entries: [file(name)],
    ...(platform ? { platform } : {}),
  }))

const CASES: Case[] = [
  ...ways(['/tmp/evil', '//tmp/evil', '/', '/./a'], 'media-name', 'an absolute name'),
  ...ways(
    ['../evil', './../evil', './..', '..', './2026/../../evil', './2026/..', './a/b/../../../evil', './2026/../archive/evil'],
    'media-name',
    'a way out',
  ),
  ...ways(
    ['C:evil', 'c:\\evil', './a\\b', '..\\evil', '\\\\server\\share\\evil', './a\\..\\..\\b'],
    'media-name',
    'a name of Windows',
  ),
  ...ways(['./CON', './nul', './2026/AUX.txt', './com1.jpg', './LPT9', './com¹', './prn/a'], 'media-name', 'a device of Windows'),
  ...ways(['./evil.', './evil ', './a./b', './a /b', './...'], 'media-name', 'an end that Windows cuts off'),
  ...ways(
    ['./a:b', './a::$DATA', './a?', './a*', './a<b', './a|b', './a"b'],
    'media-name',
    'a stream or pattern of Windows',
    'win32',
  ),
  ...ways(['./a\nb', './a\rb', './\x1b[2J', './\x7f', './a\tb'], 'media-name', 'a control character'),
  ...ways(['./a//b', './/a'], 'media-name', 'an empty part'),
  { what: 'a name that is no UTF-8', code: 'archive-refused', entries: [file(Buffer.from([0x2e, 0x2f, 0xff, 0xfe]))] },
  { what: 'an overlong slash', code: 'archive-refused', entries: [file(Buffer.from([0x2e, 0x2e, 0xc0, 0xaf, 0x61]))] },
  { what: 'a part of 256 bytes', code: 'media-name', entries: [longLink(`./${'a'.repeat(256)}`), file('a')] },
  { what: 'a name of 5,000 bytes', code: 'archive-refused', entries: [longLink(`./${'a/'.repeat(2500)}b`), file('a')] },
  { what: 'a name of 33 folders', code: 'media-name', entries: [file(`./${'a/'.repeat(33)}b`)] },
  { what: 'a way out of two halves', code: 'media-name', entries: [file('evil', { prefix: '../..', magic: 'ustar\x0000' })] },
  { what: 'a way out in a long name', code: 'media-name', entries: [longLink('./../evil'), file('./good')] },
  {
    what: 'a NUL in a long name that hides a way out',
    code: 'media-name',
    entries: [longLink('../evil\0./good'), file('./good')],
  },
  { what: 'a way out in a pax name', code: 'media-name', entries: [paxByHand({ path: '../../evil' }), file('./good')] },
  { what: 'a NUL in a pax name', code: 'media-name', entries: [paxByHand({ path: './a\0b' }), file('./good')] },
  {
    what: 'a pax name after a long name',
    code: 'media-name',
    entries: [longLink('./good'), paxByHand({ path: '/etc/x' }), file('a')],
  },
  { what: 'a symbolic link', code: 'archive-refused', entries: [{ name: './evil', type: '2', link: '/etc/passwd' }] },
  { what: 'a symbolic link to beside it', code: 'archive-refused', entries: [{ name: './evil', type: '2', link: 'added' }] },
  {
    what: 'a link, then a file behind it',
    code: 'archive-refused',
    entries: [{ name: './e', type: '2', link: '/tmp' }, file('./e/x')],
  },
  { what: 'a hard link', code: 'archive-refused', entries: [{ name: './evil', type: '1', link: './added' }] },
  {
    what: 'a link whose aim pax gives',
    code: 'archive-refused',
    entries: [paxByHand({ linkpath: '/etc/passwd' }), { name: './evil', type: '2' }],
  },
  {
    what: 'a long link name',
    code: 'archive-refused',
    entries: [{ name: '././@LongLink', type: 'K', content: '/etc/passwd\0' }],
  },
  { what: 'a character device', code: 'archive-refused', entries: [{ name: './evil', type: '3' }] },
  { what: 'a block device', code: 'archive-refused', entries: [{ name: './evil', type: '4' }] },
  { what: 'a pipe', code: 'archive-refused', entries: [{ name: './evil', type: '6' }] },
  { what: 'a contiguous file', code: 'archive-refused', entries: [file('./evil', { type: '7' })] },
  { what: 'a sparse file of GNU', code: 'archive-refused', entries: [file('./evil', { type: 'S' })] },
  { what: 'a sparse file of pax', code: 'archive-refused', entries: [paxByHand({ 'GNU.sparse.major': '1' }), file('./evil')] },
  { what: 'a volume of many', code: 'archive-refused', entries: [file('./evil', { type: 'M' })] },
  { what: 'a label', code: 'archive-refused', entries: [{ name: 'volume', type: 'V' }] },
  { what: 'a list of a folder', code: 'archive-refused', entries: [file('./2026/', { type: 'D' })] },
  { what: 'settings for all entries', code: 'archive-refused', entries: [paxByHand({ path: '../evil' }, 'g'), file('./good')] },
  { what: 'a type that nobody knows', code: 'archive-refused', entries: [file('./evil', { type: 'Q' })] },
  { what: 'a name twice', code: 'media-duplicate', entries: [file('./a'), file('a', { content: 'y' })] },
  { what: 'a name twice, with dots between', code: 'media-duplicate', entries: [file('./a/b'), file('./a/./b')] },
  { what: 'a file, then a folder of that name', code: 'media-duplicate', entries: [file('./a'), { name: './a/', type: '5' }] },
  { what: 'a folder, then a file of that name', code: 'media-duplicate', entries: [{ name: './a/', type: '5' }, file('./a')] },
  { what: 'a file, then one below it', code: 'media-duplicate', entries: [file('./a'), file('./a/b')] },
  { what: 'a file above one that was there', code: 'media-duplicate', entries: [file('./a/b/c'), file('./a/b')] },
  {
    what: 'two names that macOS takes for one, by case',
    code: 'media-duplicate',
    entries: [file('./Photo.JPG'), file('./photo.jpg')],
    platform: 'darwin',
  },
  {
    what: 'two names that macOS takes for one, by composition',
    code: 'media-duplicate',
    entries: [file('./caf\u00e9'), file('./cafe\u0301')],
    platform: 'darwin',
  },
  {
    what: 'a file below a folder that Windows takes for a file',
    code: 'media-duplicate',
    entries: [file('./A'), file('./a/b')],
    platform: 'win32',
  },
  { what: 'the folder itself as a file', code: 'media-duplicate', entries: [file('.')] },
  { what: 'a file where a folder is', code: 'media-place', entries: [file('./folder')] },
  { what: 'a folder where a file is', code: 'media-place', entries: [{ name: './2026/11/same/', type: '5' }] },
  { what: 'a file below a file', code: 'media-place', entries: [file('./2026/11/same/x')] },
  { what: 'a file where a link is', code: 'media-place', entries: [file('./link')] },
  { what: 'a file where a broken link is', code: 'media-place', entries: [file('./broken')] },
  { what: 'a file behind a link', code: 'media-place', entries: [file('./linked/file')] },
  { what: 'a new file behind a link', code: 'media-place', entries: [file('./linked/sub/new')] },
  { what: 'a folder where a link is', code: 'media-place', entries: [{ name: './linked/', type: '5' }] },
  { what: 'a size below zero', code: 'archive-refused', entries: [file('./a', { size: Buffer.alloc(12, 0xff) })] },
  { what: 'a size in octal with a sign', code: 'archive-damaged', entries: [file('./a', { size: octal('-0000000001') })] },
  { what: 'a size that is no number', code: 'archive-damaged', entries: [file('./a', { size: octal('rubbish') })] },
  {
    what: 'a size that no disk has',
    code: 'archive-refused',
    entries: [file('./a', { size: Buffer.from('80ffffffffffffffffffffff', 'hex') })],
  },
  { what: 'a pax size that is no number', code: 'archive-refused', entries: [paxByHand({ size: '1e99' }), file('./a')] },
  { what: 'a pax size below zero', code: 'archive-refused', entries: [paxByHand({ size: '-1' }), file('./a')] },
  {
    what: 'a pax size that swallows the rest',
    code: 'archive-cut',
    entries: [paxByHand({ size: '90000' }), file('./a'), file('./b')],
  },
  {
    what: 'a pax record that is too long',
    code: 'archive-damaged',
    entries: [{ name: 'x', type: 'x', content: '999 path=a\n' }, file('./a')],
  },
  {
    what: 'a pax record of no length',
    code: 'archive-damaged',
    entries: [{ name: 'x', type: 'x', content: '0 path=a\n' }, file('./a')],
  },
  { what: 'a wrong sum', code: 'archive-damaged', entries: [file('./a', { sum: false })] },
  { what: 'a sum that is no number', code: 'archive-damaged', tar: () => damagedSum() },
  { what: 'a size that is not there', code: 'archive-cut', entries: [file('./a', { size: 5000 })] },
  { what: 'a cut in a header', code: 'archive-cut', tar: () => tarByHand([file('./a')]).subarray(0, 300) },
  {
    what: 'a cut in a content',
    code: 'archive-cut',
    tar: () => tarByHand([file('./a', { content: 'x'.repeat(600) })]).subarray(0, 700),
  },
  { what: 'no end mark', code: 'archive-cut', tar: () => tarByHand([file('./a')], { end: false }) },
  { what: 'half an end mark', code: 'archive-cut', tar: () => tarByHand([file('./a')]).subarray(0, -512) },
  {
    what: 'an archive behind the end',
    code: 'archive-damaged',
    tar: () => Buffer.concat([tarByHand([file('./a')]), tarByHand([file('./b')])]),
  },
  {
    what: 'a single empty block in the middle',
    code: 'archive-damaged',
    tar: () => Buffer.concat([headerByHand(file('./a')), Buffer.alloc(512), tarByHand([])]).fill(1, 1024, 1536),
  },
  {
    what: 'an end without end',
    code: 'archive-refused',
    tar: () => tarByHand([file('./a')], { after: Buffer.alloc(17 * 1024 * 1024) }),
  },
  { what: 'too many entries', code: 'media-too-much', entries: Array.from({ length: 31 }, (_, at) => file(`./${at}`)) },
  { what: 'too large a file', code: 'media-too-much', entries: [file('./a', { size: 100_001 })] },
  {
    what: 'too much in sum',
    code: 'media-too-much',
    entries: ['a', 'b', 'c'].map((name) => file(name, { content: 'x'.repeat(90_000) })),
  },
  { what: 'a header of a megabyte', code: 'archive-refused', entries: [{ name: 'x', type: 'x', size: 2_000_000 }] },
  {
    what: 'headers without end',
    code: 'archive-refused',
    entries: Array.from({ length: 200 }, () => paxByHand({ comment: 'x' })),
  },
  { what: 'another format', code: 'archive-damaged', tar: () => Buffer.from('PK\x03\x04'.padEnd(1024, 'x')) },
]

function damagedSum(): Buffer {
  const tar = tarByHand([file('./a')])
  tar.write('zzzzzz', 148)
  return tar
}

/** Media with a file of each kind, and links that lead elsewhere. */
async function mediaFolder(): Promise<{ filesDir: string; elsewhere: string }> {
  const filesDir = await temporaryFolder()
  const elsewhere = await temporaryFolder()
  const archive = join(filesDir, 'archive')
  await mkdir(join(archive, '2026', '11'), { recursive: true })
  await mkdir(join(archive, 'folder'))
  await mkdir(join(elsewhere, 'sub'))
  for (const [path, content] of [
    [join(archive, '2026', '11', 'same'), 'the same'],
    [join(archive, '2026', '11', 'changed'), 'live'],
    [join(elsewhere, 'file'), 'elsewhere'],
  ] as const) {
    await writeFile(path, content)
    await utimes(path, 1000, 1000)
  }
  await symlink(elsewhere, join(archive, 'linked'))
  await symlink(join(elsewhere, 'file'), join(archive, 'link'))
  await symlink('/nowhere/at/all', join(archive, 'broken'))
  return { filesDir, elsewhere }
}

/** What stands in a folder, links as links. */
async function standing(folder: string): Promise<string> {
  const names = (await readdir(folder, { recursive: true, withFileTypes: true })).filter((entry) => !entry.isSymbolicLink())
  const lines = names.map(async (entry) => {
    const path = join(entry.parentPath, entry.name)
    const facts = await lstat(path)
    const content = facts.isFile() ? ` ${facts.mtimeMs} ${await readFile(path, 'latin1')}` : ''
    return `${path.slice(folder.length)} ${facts.mode.toString(8)}${content}`
  })
  return (await Promise.all(lines)).sort().join('\n')
}

const folders = (filesDir: string) => ({ filesDir, siteDir: join(filesDir, 'none'), securityDir: join(filesDir, 'none') })

describe('archives that must not be restored', () => {
  it('are many', () => expect(CASES.length).toBeGreaterThanOrEqual(40))

  it.each(CASES.map((one): [string, Case] => [one.what, one]))('%s', async (_what, { code, entries = [], tar, platform }) => {
    const { filesDir, elsewhere } = await mediaFolder()
    const [before, outside] = [await standing(filesDir), await treeOf(elsewhere)]
    // good entries go before, which are written before the bad one is met
    const good = [file('./2026/11/changed', { content: 'then' }), file('./added')]
    const bytes = Buffer.concat([tarByHand(good, { end: false }), tar ? tar() : tarByHand(entries)])
    const signal = new AbortController().signal
    const options = { limits: LIMITS, signal, ...(platform ? { platform } : {}) }
    const source = () => Readable.from([bytes]) as AsyncIterable<Buffer>
    expect(await codeOf(surveyMedia(source(), filesDir, options))).toBe(code)
    expect(await standing(filesDir)).toBe(before)
    const restoring = restoreMedia({
      ...options,
      tar: source(),
      filesDir,
      jobId: JOB,
      site: 'testsite',
      schema: null,
      workers: directWorkers,
    })
    expect(await codeOf(restoring)).toBe(code)
    await undoFiles(folders(filesDir), JOB)
    await rm(join(filesDir, 'backup-desk-undo'), { recursive: true, force: true })
    expect(await standing(filesDir)).toBe(before)
    expect(await treeOf(elsewhere)).toBe(outside)
  })

  it('a bomb is refused by its header, before it is unpacked', async () => {
    const { filesDir } = await mediaFolder()
    const bomb = gzipSync(Buffer.concat([headerByHand(file('./bomb', { size: 2 ** 32 })), Buffer.alloc(50_000_000)]), {
      level: 1,
    })
    let unpacked = 0
    async function* counted(): AsyncGenerator<Buffer> {
      for await (const chunk of gunzip(Readable.from([bomb]))) {
        unpacked += chunk.length
        yield chunk
      }
    }
    const limits = { entries: 10, fileBytes: 2 ** 31, bytes: 2 ** 32 }
    const { signal } = new AbortController()
    expect(await codeOf(surveyMedia(counted(), filesDir, { limits, signal }))).toBe('media-too-much')
    expect(unpacked).toBeLessThan(2_000_000)
  })

  it('one that the disk can’t hold is refused before the disk is full', async () => {
    const { filesDir } = await mediaFolder()
    const tar = Readable.from([
      tarByHand([file('./a', { size: Buffer.from('800000000000ff0000000000', 'hex') })]),
    ]) as AsyncIterable<Buffer>
    const { signal } = new AbortController()
    const limits = { entries: 10, fileBytes: 2 ** 60, bytes: 2 ** 60 }
    expect(
      await codeOf(restoreMedia({ tar, filesDir, jobId: JOB, site: 's', schema: null, workers: directWorkers, signal, limits })),
    ).toBe('disk-full')
    expect(await readdir(join(filesDir, 'backup-desk-undo'))).toEqual([])
  })
})

describe('archives that are odd and harmless', () => {
  it('are made harmless: no special modes, no times of the future or before 1970, no neighbours written', async () => {
    const { filesDir } = await mediaFolder()
    await mkdir(join(filesDir, 'backup'))
    await mkdir(join(filesDir, 'preview'))
    const entries = [
      file('./setuid', { mode: 0o6777 }),
      file('./hidden', { mode: 0o000 }),
      { name: './sticky/', type: '5', mode: 0o1777 },
      { name: './closed/', type: '5', mode: 0o000 },
      file('./future', { modified: 8 ** 11 - 1 }),
      // as GNU tar and our own archives have it
      file('./past', { raw: [[136, Buffer.from('fffffffffffffffffffeae7f', 'hex')]] }),
      file('./backup/backup.json', { content: '{}' }),
      file('./preview/x'),
      file('./._photo.jpg'),
      file('./old-style', { magic: '\0\0\0\0\0\0\0\0', type: '\0' }),
      { name: './old-folder/', magic: '\0\0\0\0\0\0\0\0', type: '\0' },
    ]
    const tar = Readable.from([tarByHand(entries)]) as AsyncIterable<Buffer>
    const { signal } = new AbortController()
    const result = await restoreMedia({
      tar,
      filesDir,
      jobId: JOB,
      site: 'testsite',
      schema: null,
      workers: directWorkers,
      signal,
    })
    expect(result.added).toBe(8)
    const archive = join(filesDir, 'archive')
    const mode = async (name: string) => ((await lstat(join(archive, name))).mode & 0o7777).toString(8)
    expect([await mode('setuid'), await mode('hidden'), await mode('sticky'), await mode('closed')]).toEqual([
      ...['644', '600', '755', '700'],
    ])
    expect((await lstat(join(archive, 'future'))).mtimeMs).toBeLessThanOrEqual(Date.now())
    expect((await lstat(join(archive, 'past'))).mtimeMs).toBe(0)
    expect((await lstat(join(archive, 'setuid'))).mtimeMs).toBe(HAND_TIME * 1000)
    expect((await lstat(join(archive, 'old-folder'))).isDirectory()).toBe(true)
    // what is beside the media folder is out of reach
    expect([await readdir(join(filesDir, 'backup')), await readdir(join(filesDir, 'preview'))]).toEqual([[], []])
    await undoFiles(folders(filesDir), JOB)
    expect((await readdir(archive)).sort()).toEqual(['2026', 'broken', 'folder', 'link', 'linked'])
  })
})
