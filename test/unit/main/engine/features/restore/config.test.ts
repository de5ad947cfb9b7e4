import { execFile } from 'node:child_process'
import { createReadStream, existsSync } from 'node:fs'
import { chmod, chown, mkdir, readdir, readFile, rm, stat, symlink, utimes, writeFile } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import { Readable } from 'node:stream'
import { promisify } from 'node:util'
import { describe, expect, it } from 'vitest'
import { createConfigArchive } from '#engine/features/backup/config-archive.ts'
import type { ConfigPart } from '#engine/features/restore/config/config-entry.ts'
import { restoreConfig } from '#engine/features/restore/config/restore-config.ts'
import { surveyConfig } from '#engine/features/restore/config/survey-config.ts'
import { undoFiles } from '#engine/features/restore/files/undo-files.ts'
import { measureUndo, type SiteFolders } from '#engine/features/restore/files/undo-journal.ts'
import { gunzip } from '#engine/foundation/content/gunzip.ts'
import { directWorkers } from '#test/support/direct-workers.ts'
import { fixture, hasFixtures } from '#test/support/fixtures.ts'
import { temporaryFolder } from '#test/support/home.ts'
import { codeOf } from '#test/support/repository-contract.ts'
import { treeOf } from '#test/support/restore-site.ts'
import { type HandEntry, tarByHand } from '#test/support/tar-by-hand.ts'

const run = promisify(execFile)
const JOB = '20261123T094200123-0a1b2c3d'
const isRoot = process.getuid?.() === 0

if (!hasFixtures) console.error('SKIPPED parts of config.test.ts: the fixtures of a real server are missing')
if (!isRoot) console.error('SKIPPED the owners in config.test.ts: only root can give files away')

interface Place extends SiteFolders {
  root: string
}

async function put(path: string, content: string, mode = 0o644): Promise<void> {
  await mkdir(dirname(path), { recursive: true })
  await writeFile(path, content)
  await chmod(path, mode)
  await utimes(path, 1000, 1000)
}

async function site(): Promise<Place> {
  const root = await temporaryFolder()
  const place = { root, siteDir: join(root, 'site'), filesDir: join(root, 'files'), securityDir: join(root, 'security') }
  await put(join(place.siteDir, 'priv', 'zotonic_site.config'), 'live', 0o640)
  await put(join(place.siteDir, 'priv', 'zotonic_site.config.in'), 'template')
  await put(join(place.siteDir, 'priv', 'lib', 'site.css'), 'css')
  await put(join(place.siteDir, 'priv', 'config.d', 'mail.config'), 'same', 0o600)
  await put(join(place.siteDir, 'priv', 'config.d', 'own.config'), 'own')
  await put(join(place.securityDir, 'site.key'), 'live key', 0o400)
  await mkdir(join(place.filesDir, 'archive'), { recursive: true })
  return place
}

const BACKUP: HandEntry[] = [
  { name: 'config-testsite/config/priv/zotonic_site.config', content: 'then', mode: 0o644 },
  { name: 'config-testsite/config/priv/zotonic_site.config.in', content: 'evil' },
  { name: 'config-testsite/config/config.d/mail.config', content: 'same' },
  { name: 'config-testsite/config/config.d/sub/new.yaml', content: 'new', mode: 0o666 },
  { name: 'config-testsite/security/site.key', content: 'then key', mode: 0o644 },
  { name: 'config-testsite/security/letsencrypt/new.pem', content: 'pem', mode: 0o777 },
]

function request(folders: SiteFolders, entries: HandEntry[] | Buffer = BACKUP, parts: ConfigPart[] = ['config', 'security']) {
  const tar = Readable.from([Buffer.isBuffer(entries) ? entries : tarByHand(entries)]) as AsyncIterable<Buffer>
  return {
    tar,
    folders,
    site: 'testsite',
    parts,
    signal: new AbortController().signal,
    jobId: JOB,
    schema: null,
    workers: directWorkers,
  }
}

const mode = async (...path: string[]) => ((await stat(join(...path))).mode & 0o777).toString(8)

describe('restoring configuration and security files', () => {
  it('says what it would do, does it, and puts everything back', async () => {
    const place = await site()
    const before = await treeOf(place.root)
    const survey = await surveyConfig(request(place))
    expect(await treeOf(place.root)).toBe(before)
    expect(survey.archiveSite).toBe('testsite')
    expect(survey.files.map(({ path, bytes, change }) => `${change} ${path} ${bytes}`)).toEqual([
      'replaced priv/zotonic_site.config 4',
      'same priv/config.d/mail.config 4',
      'added priv/config.d/sub/new.yaml 3',
      'replaced security/site.key 8',
      'added security/letsencrypt/new.pem 3',
      'left priv/config.d/own.config 0',
    ])
    expect(survey.notes).toEqual([
      'config-testsite/config/priv/zotonic_site.config.in is not restored: it is no configuration that a site reads.',
    ])
    expect(survey.bytesToWrite).toBe(18)

    expect(await restoreConfig(request(place))).toMatchObject({ added: 2, replaced: 2, same: 1, archiveSite: 'testsite' })
    const priv = join(place.siteDir, 'priv')
    expect(await readFile(join(priv, 'zotonic_site.config'), 'utf8')).toBe('then')
    expect(await readFile(join(priv, 'zotonic_site.config.in'), 'utf8')).toBe('template')
    expect(await readFile(join(priv, 'config.d', 'sub', 'new.yaml'), 'utf8')).toBe('new')
    expect(await readFile(join(priv, 'config.d', 'own.config'), 'utf8')).toBe('own')
    expect(await readFile(join(place.securityDir, 'letsencrypt', 'new.pem'), 'utf8')).toBe('pem')
    // modes of what was there; new files are never more open than their neighbours
    expect(await mode(priv, 'zotonic_site.config')).toBe('640')
    expect(await mode(place.securityDir, 'site.key')).toBe('400')
    expect(await mode(place.securityDir, 'letsencrypt', 'new.pem')).toBe('600')
    expect(await mode(priv, 'config.d', 'sub', 'new.yaml')).toBe('600')
    const undo = join(place.filesDir, 'backup-desk-undo', JOB)
    expect(await mode(undo)).toBe('700')
    expect(await readFile(join(undo, 'replaced-security', 'site.key'), 'utf8')).toBe('live key')
    expect(await measureUndo(place, JOB)).toEqual({ replaced: 2, added: 2, bytes: 12, missing: 0 })

    expect(await undoFiles(place, JOB)).toEqual({ removed: 2, putBack: 2 })
    await rm(join(place.filesDir, 'backup-desk-undo'), { recursive: true })
    expect(await treeOf(place.root)).toBe(before)
  })

  it('restores one part without the other, and shares one undo with media', async () => {
    const place = await site()
    const before = await treeOf(place.root)
    const survey = await surveyConfig(request(place, BACKUP, ['security']))
    expect(survey.files.map(({ path }) => path)).toEqual(['security/site.key', 'security/letsencrypt/new.pem'])
    await restoreConfig(request(place, BACKUP, ['security']))
    expect(await readFile(join(place.siteDir, 'priv', 'zotonic_site.config'), 'utf8')).toBe('live')
    await restoreConfig(request(place, BACKUP, ['config']))
    expect(await readFile(join(place.siteDir, 'priv', 'zotonic_site.config'), 'utf8')).toBe('then')
    expect(await undoFiles(place, JOB)).toEqual({ removed: 2, putBack: 2 })
    await rm(join(place.filesDir, 'backup-desk-undo'), { recursive: true })
    expect(await treeOf(place.root)).toBe(before)
  })

  it('makes a security folder that is missing, and takes it away again', async () => {
    const place = await site()
    await rm(place.securityDir, { recursive: true })
    const before = await treeOf(place.root)
    await surveyConfig(request(place))
    await restoreConfig(request(place))
    expect(await mode(place.securityDir)).toBe('700')
    expect(await readFile(join(place.securityDir, 'site.key'), 'utf8')).toBe('then key')
    await undoFiles(place, JOB)
    expect(existsSync(place.securityDir)).toBe(false)
    await rm(join(place.filesDir, 'backup-desk-undo'), { recursive: true })
    expect(await treeOf(place.root)).toBe(before)
  })

  it('never writes through a link, and says so', async () => {
    const place = await site()
    const elsewhere = await temporaryFolder()
    await put(join(elsewhere, 'live.key'), 'of the system')
    await rm(join(place.securityDir, 'site.key'))
    await symlink(join(elsewhere, 'live.key'), join(place.securityDir, 'site.key'))
    const survey = await surveyConfig(request(place))
    expect(survey.files).toContainEqual({ path: 'security/site.key', bytes: 8, change: 'left' })
    expect(survey.notes).toContain('security/site.key is a link or device on the site: it is left as it is.')
    await restoreConfig(request(place))
    expect(await readFile(join(elsewhere, 'live.key'), 'utf8')).toBe('of the system')
    await undoFiles(place, JOB)

    await rm(join(place.siteDir, 'priv', 'config.d'), { recursive: true })
    await symlink(elsewhere, join(place.siteDir, 'priv', 'config.d'))
    expect(await codeOf(surveyConfig(request(place)))).toBe('config-place')
    expect(await codeOf(restoreConfig(request(place)))).toBe('config-place')
    expect(await readdir(elsewhere)).toEqual(['live.key'])
  })

  it('says whose configuration it is, and what a second one means', async () => {
    const place = await site()
    const other: HandEntry[] = [{ name: 'config-other/config/priv/zotonic_site.yaml', content: 'a: 1' }]
    const survey = await surveyConfig(request(place, other))
    expect(survey.archiveSite).toBe('other')
    expect(survey.notes[0]).toContain('the configuration of other')
    expect(survey.notes[1]).toContain('priv/zotonic_site.config and keeps it beside priv/zotonic_site.yaml')
  })

  it.each<[string, string, HandEntry[]]>([
    ['no folder of a site', 'config-name', [{ name: 'security/site.key', content: 'x' }]],
    ['a folder of no site', 'config-name', [{ name: 'config-../security/site.key', content: 'x' }]],
    ['two sites', 'config-name', [...BACKUP, { name: 'config-other/security/x', content: 'x' }]],
    ['a way out', 'config-name', [...BACKUP, { name: 'config-testsite/security/../../x', content: 'x' }]],
    ['an absolute name', 'config-name', [{ name: '/etc/passwd', content: 'x' }]],
    ['a link', 'archive-refused', [...BACKUP, { name: 'config-testsite/security/x', type: '2', link: '/etc/passwd' }]],
    ['a folder in a file’s place', 'config-place', [{ name: 'config-testsite/config/config.d/sub', content: 'x' }]],
    ['a file of 20 MB', 'config-too-much', [{ name: 'config-testsite/security/x', size: 20_000_000 }]],
    ['nothing', 'config-empty', []],
  ])('refuses %s, and everything is as before', async (_name, code, entries) => {
    const place = await site()
    await mkdir(join(place.siteDir, 'priv', 'config.d', 'sub'))
    const before = await treeOf(place.root)
    expect(await codeOf(surveyConfig(request(place, entries)))).toBe(code)
    expect(await codeOf(restoreConfig(request(place, entries)))).toBe(code)
    await undoFiles(place, JOB)
    await rm(join(place.filesDir, 'backup-desk-undo'), { recursive: true, force: true })
    expect(await treeOf(place.root)).toBe(before)
  })

  it('asks for folders that are there', async () => {
    const place = await site()
    await rm(join(place.siteDir, 'priv'), { recursive: true })
    expect(await codeOf(surveyConfig(request(place)))).toBe('no-site-folder')
    expect(await codeOf(restoreConfig(request(place)))).toBe('no-site-folder')
  })

  it.skipIf(!isRoot)('gives new files to whom the others belong', async () => {
    const place = await site()
    await chown(join(place.siteDir, 'priv', 'zotonic_site.config'), 1001, 1002)
    await chown(place.securityDir, 1001, 1003)
    await restoreConfig(request(place))
    expect(await stat(join(place.siteDir, 'priv', 'zotonic_site.config'))).toMatchObject({ uid: 1001, gid: 1002 })
    const made = await stat(join(place.securityDir, 'letsencrypt', 'new.pem'))
    expect(made).toMatchObject({ uid: 1001, gid: 1003 })
    await undoFiles(place, JOB)
    expect(await stat(join(place.siteDir, 'priv', 'zotonic_site.config'))).toMatchObject({ uid: 1001, gid: 1002 })
  })

  it.skipIf(!hasFixtures)('takes what a server wrote, and gives back what this program archived', async () => {
    const place = await site()
    const real = fixture('backups', '1-plain-full', 'config-testsite-1.tar.gz')
    const tar = () => gunzip(createReadStream(real))
    expect((await surveyConfig({ ...request(place), tar: tar() })).files[0]).toEqual({
      ...{ path: 'priv/zotonic_site.config', bytes: 2493, change: 'replaced' },
    })
    await restoreConfig({ ...request(place), tar: tar() })
    const { stdout } = await run('tar', ['-xzOf', real])
    expect(await readFile(join(place.siteDir, 'priv', 'zotonic_site.config'), 'utf8')).toBe(stdout)

    const archive = await createConfigArchive({ ...place, site: 'testsite' }, { onProblem: () => {} })
    const copy = await site()
    await restoreConfig({ ...request(copy), tar: archive as AsyncIterable<Buffer> })
    for (const name of ['site/priv/zotonic_site.config', 'site/priv/config.d/own.config', 'security/site.key']) {
      expect(await readFile(join(copy.root, name)), name).toEqual(await readFile(join(place.root, name)))
    }
  })
})
