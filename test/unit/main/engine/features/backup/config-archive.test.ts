import { execFile } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { chmod, chown, mkdir, mkdtemp, readFile, rm, symlink, utimes, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import { gunzipSync } from 'node:zlib'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createConfigArchive, measureConfig } from '#engine/features/backup/config-archive.ts'
import type { ArchiveProblem } from '#engine/features/backup/tree.ts'
import { fixture, hasFixtures } from '#test/support/fixtures.ts'

const run = promisify(execFile)

let root: string
let problems: ArchiveProblem[]
beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'config-archive-'))
  problems = []
})
afterEach(() => rm(root, { recursive: true, force: true }))

async function put(path: string, content: string): Promise<void> {
  await mkdir(dirname(join(root, path)), { recursive: true })
  await writeFile(join(root, path), content)
}

const folders = () => ({ site: 'testsite', siteDir: join(root, 'site'), securityDir: join(root, 'security') })

async function names(): Promise<string[]> {
  const stream = await createConfigArchive(folders(), { onProblem: (problem) => problems.push(problem) })
  if (!stream) return []
  const file = join(root, 'out.tar')
  await pipeline(stream, createWriteStream(file))
  return (await run('tar', ['--quoting-style=literal', '-tf', file])).stdout.trimEnd().split('\n')
}

describe('createConfigArchive', () => {
  it('takes the site configuration, config.d and security, and nothing else', async () => {
    await put('site/priv/zotonic_site.config', '[].')
    await put('site/priv/zotonic_site.yaml', 'a: 1')
    await put('site/priv/zotonic_site.config.in', 'template')
    await put('site/priv/lib/css/site.css', 'x')
    await put('site/priv/config.d/mail.config', '[].')
    await put('site/priv/config.d/sub/deep.yaml', 'a: 2')
    await put('security/testsite.key', 'k')
    await put('security/letsencrypt/testsite.pem', 'p')
    expect(await names()).toEqual([
      'config-testsite/config/priv/zotonic_site.config',
      'config-testsite/config/priv/zotonic_site.yaml',
      'config-testsite/config/config.d/mail.config',
      'config-testsite/config/config.d/sub/deep.yaml',
      'config-testsite/security/letsencrypt/testsite.pem',
      'config-testsite/security/testsite.key',
    ])
    expect(problems).toEqual([])
    expect(await measureConfig(folders())).toEqual({ files: 6, bytes: 16 })
  })

  it('takes the content of a linked certificate, but not of a linked folder', async () => {
    await put('security/real.pem', 'p')
    await put('live/cert.pem', 'live')
    await symlink(join(root, 'live/cert.pem'), join(root, 'security/cert.pem'))
    await symlink(join(root, 'live'), join(root, 'security/live'))
    await symlink(join(root, 'nowhere'), join(root, 'security/broken'))
    expect(await names()).toEqual(['config-testsite/security/cert.pem', 'config-testsite/security/real.pem'])
    const { stdout } = await run('tar', ['-xOf', join(root, 'out.tar'), 'config-testsite/security/cert.pem'])
    expect(stdout).toBe('live')
    expect(problems.map(({ path, code }) => `${path} ${code}`)).toEqual([
      'config-testsite/security/broken symbolic-link',
      'config-testsite/security/live symbolic-link',
    ])
  })

  it.skipIf(!hasFixtures || process.getuid?.() !== 0)('is byte for byte what the server writes', async () => {
    const theirs = gunzipSync(await readFile(fixture('backups', '1-plain-full', 'config-testsite-1.tar.gz')))
    await put('site/priv/zotonic_site.config', theirs.toString('utf8', 512, 512 + 2493))
    const path = join(root, 'site/priv/zotonic_site.config')
    await chmod(path, 0o644)
    await chown(path, 1001, 1001)
    await utimes(path, 0o15300715024, 0o15300715024)
    const stream = await createConfigArchive(folders(), { onProblem: (problem) => problems.push(problem) })
    const pieces = (await stream?.toArray()) ?? []
    expect(Buffer.concat(pieces).equals(theirs)).toBe(true)
  })

  it('keeps names of any length, cut in two where the format does it, and GNU tar reads them', async () => {
    const wanted = [
      `security/${'a'.repeat(80)}`,
      `security/${'b'.repeat(99)}`,
      `security/${'c'.repeat(100)}`,
      `security/${'d'.repeat(60)}/${'e'.repeat(60)}`,
      `security/${'f'.repeat(120)}/${'g'.repeat(90)}`,
      `security/${'ż'.repeat(100)}/${'h'.repeat(200)}.pem`,
    ]
    for (const name of wanted) await put(name, `content of ${name}`)
    expect((await names()).sort()).toEqual(wanted.map((name) => `config-testsite/${name}`).sort())
    const out = join(root, 'out')
    await mkdir(out)
    await run('tar', ['-x', '-f', join(root, 'out.tar'), '-C', out])
    await run('diff', ['-r', join(root, 'security'), join(out, 'config-testsite', 'security')])
  })

  it('is no archive at all when there is nothing to keep', async () => {
    expect(await names()).toEqual([])
    expect(problems).toEqual([])
    await mkdir(join(root, 'site/priv/config.d'), { recursive: true })
    expect(await names()).toEqual([])
  })
})
