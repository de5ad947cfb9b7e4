import { execFile } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { appendFile, chmod, mkdir, mkdtemp, readFile, rename, rm, symlink, truncate, utimes, writeFile } from 'node:fs/promises'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import { list } from 'tar'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import type { ArchiveOptions } from '#engine/features/backup/archived-file.ts'
import { createMediaArchive, hasMedia } from '#engine/features/backup/media-archive.ts'
import { type ArchiveProblem, measureTree } from '#engine/features/backup/tree.ts'

const run = promisify(execFile)

let root: string
let media: string
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'media-archive-'))
  media = join(root, 'archive')
  await mkdir(media)
})
afterEach(() => rm(root, { recursive: true, force: true }))

async function put(name: string | Buffer, content: string | Buffer): Promise<void> {
  const path = Buffer.concat([Buffer.from(`${media}/`), Buffer.from(name)])
  await mkdir(dirname(path.toString('latin1')).replace(/[^\x20-\x7e]/g, ''), { recursive: true }).catch(() => {})
  await writeFile(path, content)
}

async function pack(options: Partial<ArchiveOptions> = {}): Promise<{ file: string; problems: ArchiveProblem[] }> {
  const problems: ArchiveProblem[] = []
  const file = join(root, 'out.tar')
  const stream = createMediaArchive(media, { onProblem: (problem) => problems.push(problem), ...options })
  await pipeline(stream, createWriteStream(file))
  return { file, problems }
}

/** One line an entry, as GNU tar lists it, without regard to the order. */
async function listing(file: string): Promise<string[]> {
  const { stdout } = await run('tar', ['--full-time', '--quoting-style=escape', '-tvf', file], { maxBuffer: 64e6 })
  return stdout.trimEnd().split('\n').sort()
}

async function gnuListing(): Promise<string[]> {
  const file = join(root, 'gnu.tar')
  await run('tar', ['-C', media, '-c', '-f', file, '.'])
  return listing(file)
}

describe('createMediaArchive', () => {
  it('writes the same entries, modes, times and owners as GNU tar', async () => {
    await put('2026/11/23/picture.jpg', Buffer.alloc(300_000, 7))
    await put('2026/11/23/empty.txt', '')
    await put('2026/11/block.bin', Buffer.alloc(1024, 1))
    await mkdir(join(media, '2025'))
    await chmod(join(media, '2026/11/block.bin'), 0o640)
    await utimes(join(media, '2026/11/block.bin'), 1_000_000_000, 1_000_000_000)
    const { file, problems } = await pack()
    expect(problems).toEqual([])
    expect(await listing(file)).toEqual(await gnuListing())
    const bytes = await readFile(file)
    expect(bytes.length % 10240).toBe(0)
    expect(bytes.subarray(-1024).every((byte) => byte === 0)).toBe(true)
    expect(await measureTree(media)).toEqual({ files: 3, bytes: 301_024 })
  })

  it('keeps names of any length and bytes, and GNU tar and node-tar read them', async () => {
    const names = [
      'zażółć gęślą 🔐.jpg',
      'a'.repeat(100 - 2),
      'b'.repeat(99),
      'c'.repeat(255),
      "quo'te\nline.txt",
      `d/${'ü'.repeat(120)}`,
    ]
    await mkdir(join(media, 'd'))
    for (const name of names) await put(name, `content of ${name}`)
    const deep = `${'e'.repeat(200)}/${'f'.repeat(200)}`
    await mkdir(join(media, deep), { recursive: true })
    await put(`${deep}/g`, 'deep')
    const { file } = await pack()
    expect(await listing(file)).toEqual(await gnuListing())
    const seen: string[] = []
    await list({ file, onReadEntry: (entry) => void seen.push(entry.path) })
    for (const name of names) expect(seen).toContain(`./${name}`)
    expect(seen).toContain(`./${deep}/g`)
    const out = join(root, 'out')
    await mkdir(out)
    await run('tar', ['-x', '-f', file, '-C', out])
    await run('diff', ['-r', media, out])
  })

  it.runIf(process.platform === 'linux')('keeps a name that is no UTF-8', async () => {
    const name = Buffer.from([0x66, 0xff, 0xe9, 0x2e, 0x6a])
    await put(name, 'bytes')
    const { file, problems } = await pack()
    expect(problems).toEqual([])
    expect((await readFile(file)).includes(Buffer.concat([Buffer.from('./'), name]))).toBe(true)
    expect(await listing(file)).toEqual(await gnuListing())
  })

  it('writes 5,000 files in the order of their names', async () => {
    for (let i = 0; i < 5000; i++) await put(`n${(i * 7919) % 5000}`, `${i}`)
    const { file, problems } = await pack()
    expect(problems).toEqual([])
    const { stdout } = await run('tar', ['-tf', file], { maxBuffer: 64e6 })
    const names = stdout.trimEnd().split('\n')
    expect(names).toHaveLength(5001)
    expect(names.slice(1)).toEqual(names.slice(1).sort())
    expect(new Set(names).size).toBe(5001)
    expect(await listing(file)).toEqual(await gnuListing())
  })

  it('leaves out links and sockets, and tells it', async () => {
    await put('real', 'x')
    await symlink('/etc/passwd', join(media, 'link'))
    await symlink('/etc', join(media, 'folder-link'))
    const server = createServer()
    await new Promise<void>((resolve) => server.listen(join(media, 'socket'), resolve))
    const { file, problems } = await pack()
    await new Promise((resolve) => server.close(resolve))
    expect(problems.map(({ path, code }) => `${path} ${code}`).sort()).toEqual([
      'folder-link symbolic-link',
      'link symbolic-link',
      'socket special-file',
    ])
    const { stdout } = await run('tar', ['-tf', file])
    expect(stdout).toBe('./\n./real\n')
  })

  it('tells problems without letting a file name act on a terminal', async () => {
    await symlink('/nowhere', join(media, 'a\u001b[2Jb\nc'))
    const { problems } = await pack()
    expect(problems.map(({ path }) => path)).toEqual(['a\\x1b[2Jb\\x0ac'])
  })

  it('stays valid when files grow, shrink and vanish while it runs', async () => {
    for (const name of ['a-grows', 'b-shrinks', 'c-vanishes', 'd-stays']) await put(name, Buffer.alloc(600_000, name))
    const done = new Set<string>()
    const problems: ArchiveProblem[] = []
    const file = join(root, 'out.tar')
    const changes: Promise<unknown>[] = []
    const once = (key: string, change: () => Promise<unknown>) => {
      if (done.has(key)) return
      done.add(key)
      changes.push(change())
    }
    const stream = createMediaArchive(media, {
      onProblem: (problem) => problems.push(problem),
      onProgress({ path, bytes }) {
        if (path === 'a-grows' && bytes > 0) once(path, () => appendFile(join(media, path), Buffer.alloc(100_000)))
        if (path === 'b-shrinks' && bytes > 0) once(path, () => truncate(join(media, path), 1000))
        if (path === 'a-grows') once('c', () => rm(join(media, 'c-vanishes')))
      },
    })
    await pipeline(
      stream,
      async function* slow(source) {
        for await (const piece of source) {
          await Promise.all(changes)
          yield piece
        }
      },
      createWriteStream(file),
    )
    expect(problems.map(({ path, code }) => `${path} ${code}`)).toEqual([
      'a-grows changed',
      'b-shrinks changed',
      'c-vanishes vanished',
    ])
    const out = join(root, 'out')
    await mkdir(out)
    await run('tar', ['-x', '-f', file, '-C', out])
    expect((await readFile(join(out, 'a-grows'))).length).toBe(600_000)
    expect((await readFile(join(out, 'b-shrinks'))).length).toBe(600_000)
    expect((await readFile(join(out, 'd-stays'))).equals(await readFile(join(media, 'd-stays')))).toBe(true)
  })

  it('does not follow a folder that was swapped for a link', async () => {
    await put('a', 'x')
    await mkdir(join(media, 'b'))
    await put('b/inside', 'y')
    await mkdir(join(root, 'elsewhere'))
    await writeFile(join(root, 'elsewhere', 'secret'), 's')
    let swapped: Promise<void> | null = null
    const { file, problems } = await pack({
      onProgress({ path }) {
        if (path !== 'b' || swapped) return
        swapped = (async () => {
          await rename(join(media, 'b'), join(root, 'away'))
          await symlink(join(root, 'elsewhere'), join(media, 'b'))
        })()
      },
    })
    await swapped
    const { stdout } = await run('tar', ['-tf', file])
    expect(stdout).not.toContain('secret')
    expect(problems.length + Number(stdout.includes('inside'))).toBeGreaterThan(0)
  })

  it('fails when not one file can be read, and when the folder is gone', async () => {
    await rm(media, { recursive: true })
    expect(await hasMedia(media)).toBe(false)
    await expect(pack()).rejects.toMatchObject({ code: 'media-unreadable' })
  })

  it('stops when cancelled', async () => {
    await put('big', Buffer.alloc(5_000_000))
    const cancel = new AbortController()
    await expect(pack({ signal: cancel.signal, onProgress: ({ bytes }) => bytes > 0 && cancel.abort() })).rejects.toMatchObject({
      name: 'AbortError',
    })
  })
})
