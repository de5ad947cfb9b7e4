import { execFile } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { mkdir, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { FilestoreSettings } from '#shared/model/site.ts'
import { startS3, type TestS3 } from '#test/support/ceph.ts'
import { makeBackup } from '#test/support/transfers.ts'
import { type Bench, type BenchOptions, type Measured, median } from './bench.ts'
import type { BenchPlace } from './transfer-child.ts'

const run = promisify(execFile)
const CHILD = fileURLToPath(new URL('./transfer-child.ts', import.meta.url))
const MIB = 1 << 20
const NAME = 'testsite-1'
const FILE = `${NAME}.sql.gz`

/** One backup with one large part, copied with all that belongs to it: lease, hash, index. The tools copy its file alone. */
export const benches: Bench[] = [
  { name: 'transfer-s3-up', against: 'rclone copyto FILE S3:…', bound: { atMost: 1 }, run: (options) => s3(options, 'up') },
  { name: 'transfer-s3-down', against: 'rclone copyto S3:… FILE', bound: { atMost: 1 }, run: (options) => s3(options, 'down') },
]

async function s3(options: BenchOptions, way: 'up' | 'down'): Promise<Measured> {
  const { folder, isQuick } = options
  const bytes = (isQuick ? 128 : 1024) * MIB
  const server = await startS3()
  try {
    const source = join(folder, 'source')
    await makeBackup(source, { database: bytes })
    await mkdir(join(folder, 'transfers'))
    const env = rcloneEnv(server)
    const settings = filestoreSettings(server)
    const filestore: BenchPlace = { kind: 's3', settings, secret: server.secretAccessKey, transfers: join(folder, 'transfers') }
    if (way === 'down') await copy({ kind: 'folder', folder: source }, filestore)
    return await inTurnsOfCopies(options, bytes, async (turn) => {
      const out = join(folder, `out-${turn}`)
      await mkdir(out)
      if (way === 'down') {
        const remote = `S3:${server.bucket}/${settings.prefix}/backup/${FILE}`
        return {
          ours: () => copy(filestore, { kind: 'folder', folder: out }),
          theirs: () => run('rclone', ['copyto', remote, join(out, 'theirs')], { env }),
          clean: () => rm(out, { recursive: true }),
        }
      }
      const fresh = { ...filestore, settings: filestoreSettings(server) }
      return {
        ours: () => copy({ kind: 'folder', folder: source }, fresh),
        theirs: () => run('rclone', ['copyto', join(source, FILE), `S3:${server.bucket}/theirs-${turn}/${FILE}`], { env }),
        clean: () => run('rclone', ['purge', `S3:${server.bucket}/${fresh.settings.prefix}`], { env }),
      }
    })
  } finally {
    await server.stop()
  }
}

interface Turn {
  ours(): Promise<{ seconds: number; rss: number }>
  theirs(): Promise<unknown>
  clean(): Promise<unknown>
}

async function inTurnsOfCopies(
  { isQuick, say }: BenchOptions,
  bytes: number,
  prepare: (turn: number) => Promise<Turn>,
): Promise<Measured> {
  const turns = isQuick ? 3 : 5
  const [ours, theirs]: [number[], number[]] = [[], []]
  let rss = 0
  for (let turn = 0; turn < turns; turn += 1) {
    const { ours: copyOurs, theirs: copyTheirs, clean } = await prepare(turn)
    // what the last turn left to be written must not slow down this one
    await run('sync')
    const done = await copyOurs()
    ours.push(done.seconds)
    rss = Math.max(rss, done.rss)
    await run('sync')
    const started = performance.now()
    await copyTheirs()
    theirs.push((performance.now() - started) / 1000)
    await clean()
    say(`${ours.at(-1)?.toFixed(2)} s against ${theirs.at(-1)?.toFixed(2)} s`)
  }
  const note = `${Math.round(bytes / MIB)} MiB; ours with lease, SHA-256 and index, at most ${Math.round(rss / MIB)} MiB of memory`
  return { ours: median(ours), theirs: median(theirs), unit: 's', note }
}

async function copy(from: BenchPlace, to: BenchPlace): Promise<{ seconds: number; rss: number }> {
  const { stdout } = await run(process.execPath, [CHILD, JSON.stringify({ from, to, name: NAME })])
  return JSON.parse(stdout) as { seconds: number; rss: number }
}

function rcloneEnv(server: TestS3): Record<string, string> {
  return {
    PATH: process.env.PATH ?? '',
    HOME: '/nonexistent',
    RCLONE_CONFIG: '/nonexistent/rclone.conf',
    RCLONE_CONFIG_S3_TYPE: 's3',
    RCLONE_CONFIG_S3_PROVIDER: 'Ceph',
    RCLONE_CONFIG_S3_ENDPOINT: server.endpoint,
    RCLONE_CONFIG_S3_ACCESS_KEY_ID: server.accessKeyId,
    RCLONE_CONFIG_S3_SECRET_ACCESS_KEY: server.secretAccessKey,
  }
}

/** A filestore of its own in the server's bucket. */
function filestoreSettings({ endpoint, bucket, accessKeyId }: TestS3): FilestoreSettings {
  const prefix = `site-${randomBytes(4).toString('hex')}`
  return { endpoint, region: 'us-east-1', bucket, prefix, pathStyle: true, accessKeyId }
}
