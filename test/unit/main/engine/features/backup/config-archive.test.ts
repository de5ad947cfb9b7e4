import { execFile } from 'node:child_process'
import { createWriteStream } from 'node:fs'
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { dirname, join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { createConfigArchive, measureConfig } from '#engine/features/backup/config-archive.ts'
import type { ArchiveProblem } from '#engine/features/backup/tree.ts'

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
  return (await run('tar', ['-tf', file])).stdout.trimEnd().split('\n')
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

  it('is no archive at all when there is nothing to keep', async () => {
    expect(await names()).toEqual([])
    expect(problems).toEqual([])
    await mkdir(join(root, 'site/priv/config.d'), { recursive: true })
    expect(await names()).toEqual([])
  })
})
