import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { copyFile, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { gunzipSync, gzipSync } from 'node:zlib'
import { listFolder } from '#engine/features/listing/index.ts'
import { type Drilled, type DrillRequest, drillBackup } from '#engine/features/proof/drill/drill-backup.ts'
import { type Home, openHome } from '#engine/foundation/home.ts'
import { openFolderRepository } from '#engine/foundation/repository/folder.ts'
import type { Workers } from '#engine/foundation/workers.ts'
import { fixture } from './fixtures.ts'

const run = promisify(execFile)
const PLAIN = fixture('backups', '1-plain-full')
/** When the fixture's backup was made. */
export const MADE_AT = 1_795_398_925

/** What to change in a copy of the real server's backup; null leaves a part out. */
export interface Changes {
  name?: string
  /** Unix seconds. */
  timestamp?: number
  database?: (sql: string) => string | Buffer
  /** The folder holds the unpacked archive. */
  files?: ((folder: string) => Promise<unknown>) | null
  config?: ((folder: string) => Promise<unknown>) | null
  /** The index says that its hashes are those of the changed files. */
  rehash?: boolean
}

/** Adds a backup to a folder: the real server's, with changes. */
export async function putChangedBackup(folder: string, changes: Changes = {}): Promise<void> {
  const { name = 'testsite-1', timestamp = MADE_AT, database, files, config, rehash = true } = changes
  const stored = JSON.parse(await readFile(join(PLAIN, 'backup.json'), 'utf8'))['testsite-1'] as Record<string, unknown>
  const entry: Record<string, unknown> = { ...stored, timestamp }
  const put = async (field: string, file: string, from: string, change: ((bytes: Buffer) => Promise<Buffer>) | null) => {
    if (change) await writeFile(join(folder, file), await change(await readFile(join(PLAIN, from))))
    else await copyFile(join(PLAIN, from), join(folder, file))
    const hash = createHash('sha256')
      .update(await readFile(join(folder, file)))
      .digest('hex')
    Object.assign(entry, { [field]: file, ...(rehash ? { [`${field}_hash`]: hash } : {}) })
  }
  const packed = (change: Changes['files']) => (change ? (bytes: Buffer) => repack(bytes, change) : null)
  await put('database', `${name}.sql.gz`, 'testsite-1.sql.gz', database ? async (bytes) => alteredDump(bytes, database) : null)
  if (files === null) Object.assign(entry, { files: null, files_hash: null })
  else await put('files', `${name}.tar.gz`, 'testsite-1.tar.gz', packed(files))
  if (config === null) Object.assign(entry, { config_files: null, config_files_hash: null })
  else await put('config_files', `config-${name}.tar.gz`, 'config-testsite-1.tar.gz', packed(config))
  const index = await readFile(join(folder, 'backup.json'), 'utf8').then(
    (text) => JSON.parse(text) as object,
    () => ({}),
  )
  await writeFile(join(folder, 'backup.json'), JSON.stringify({ ...index, [name]: entry }))
}

function alteredDump(bytes: Buffer, change: (sql: string) => string | Buffer): Buffer {
  const before = gunzipSync(bytes).toString()
  const after = change(before)
  if (after === before) throw new Error('the change left the dump as it was')
  return gzipSync(after, { level: 1 })
}

async function repack(bytes: Buffer, change: (folder: string) => Promise<unknown>): Promise<Buffer> {
  const folder = await mkdtemp(join(tmpdir(), 'backup-desk-test-repack-'))
  try {
    await writeFile(join(folder, 'archive.tar.gz'), bytes)
    await mkdir(join(folder, 'content'))
    await run('tar', ['-C', join(folder, 'content'), '-xzf', join(folder, 'archive.tar.gz'), '--no-same-owner'])
    await change(join(folder, 'content'))
    const names = await readdir(join(folder, 'content'))
    await run('tar', ['-C', join(folder, 'content'), '-czf', join(folder, 'again.tar.gz'), ...names.map((name) => `./${name}`)])
    return await readFile(join(folder, 'again.tar.gz'))
  } finally {
    await rm(folder, { recursive: true, force: true })
  }
}

/** Drills one backup of a folder, as a job would. */
export async function drillFolder(
  folder: string,
  options: { scratch: string; workers: Workers; name?: string } & Partial<DrillRequest>,
): Promise<Drilled> {
  const { name = 'testsite-1', ...more } = options
  const entry = (await listFolder(folder)).backups.find((backup) => backup.name === name)
  if (!entry) throw new Error(`no ${name} in ${folder}`)
  return drillBackup({
    repository: openFolderRepository({ folder, owner: 'server' }),
    entry,
    passwords: [],
    siteSchema: null,
    earlier: null,
    program: 'test',
    signal: new AbortController().signal,
    progress: { phase() {}, advance() {} },
    ...more,
  })
}

/** The checks of a report by id, as `outcome: finding`. */
export function findingsOf({ report }: Drilled): Record<string, string> {
  return Object.fromEntries(report.checks.map(({ id, outcome, finding }) => [id, `${outcome}: ${finding}`]))
}

/** A home folder that several tests share. */
export async function makeHome(): Promise<{ home: Home; remove: () => Promise<void> }> {
  const root = await mkdtemp(join(tmpdir(), 'backup-desk-test-'))
  return { home: await openHome(root), remove: () => rm(root, { recursive: true, force: true }) }
}
