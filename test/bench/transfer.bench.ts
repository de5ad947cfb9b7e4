import { execFile, spawn } from 'node:child_process'
import { randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { mkdir, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import type { FilestoreSettings } from '#shared/model/site.ts'
import { startS3, type TestS3 } from '#test/support/ceph.ts'
import { startSshd } from '#test/support/sshd.ts'
import { makeBackup } from '#test/support/transfers.ts'
import { type Bench, type BenchOptions, type Measured, median } from './bench.ts'
import type { BenchPlace } from './transfer-child.ts'

const run = promisify(execFile)
const CHILD = fileURLToPath(new URL('./transfer-child.ts', import.meta.url))
const PROXY = fileURLToPath(new URL('./proxy-child.ts', import.meta.url))
const MIB = 1 << 20
/** There and back. */
const LATENCY_MS = 50
const NAME = 'testsite-1'
const FILE = `${NAME}.sql.gz`

/** One backup with one large part, copied with all that belongs to it: lease, hash, index, synced to the disk. The tools copy its
 * file alone; where it lands on this disk they are given its sync too. */
export const benches: Bench[] = [
  { name: 'transfer-s3-up', against: 'rclone copyto FILE S3:…', bound: { atMost: 1 }, run: (options) => s3(options, 'up') },
  ...(['up', 'down'] as const).flatMap((way): Bench[] => [
    {
      name: `transfer-sftp-${way}`,
      against: 'sftp, on loopback',
      bound: { atMost: 1.2 },
      run: (options) => sftp(options, way, 0),
    },
    {
      name: `transfer-sftp-${way}-50ms`,
      against: `sftp, over ${LATENCY_MS} ms there and back`,
      bound: { atMost: 0.6 },
      run: (options) => sftp(options, way, LATENCY_MS / 2),
    },
  ]),
  {
    name: 'transfer-s3-down',
    against: 'rclone copyto S3:… FILE && sync FILE',
    bound: { atMost: 1 },
    run: (options) => s3(options, 'down'),
  },
  {
    // of an object in parts rclone has nothing to compare with, and compares nothing; ours still does
    name: 'transfer-s3-down-parts',
    against: 'rclone copyto S3:… FILE && sync FILE, unverified',
    bound: { atMost: 1.5 },
    run: (options) => s3(options, 'down-parts'),
  },
]

async function s3(options: BenchOptions, way: 'up' | 'down' | 'down-parts'): Promise<Measured> {
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
    const remote = `S3:${server.bucket}/${settings.prefix}/backup/${FILE}`
    if (way !== 'up') await copy({ kind: 'folder', folder: source }, filestore)
    // an object put in one piece has its MD5 for an ETag, with which rclone compares what it copied
    if (way === 'down')
      await run('rclone', ['copyto', '--ignore-times', '--s3-upload-cutoff', '5G', join(source, FILE), remote], { env })
    return await inTurnsOfCopies(options, bytes, async (turn) => {
      const out = join(folder, `out-${turn}`)
      await mkdir(out)
      if (way !== 'up') {
        return {
          ours: () => copy(filestore, { kind: 'folder', folder: out }),
          // until the bytes are on the disk, as ours
          theirs: () => run('sh', ['-c', 'rclone copyto "$1" "$2" && sync "$2"', 'sh', remote, join(out, 'theirs')], { env }),
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

async function sftp(options: BenchOptions, way: 'up' | 'down', delayMs: number): Promise<Measured> {
  const { folder, isQuick } = options
  const bytes = (isQuick ? 256 : 1024) * MIB
  const sshd = await startSshd()
  const proxy = delayMs > 0 ? await startProxy(sshd.port, delayMs) : null
  try {
    const source = join(folder, 'source')
    await makeBackup(source, { database: bytes })
    const port = proxy?.port ?? sshd.port
    const knownHostsFile = join(folder, 'known_hosts')
    const line = await sshd.knownHostsLine()
    await writeFile(knownHostsFile, `${line.replace(`:${sshd.port} `, `:${port} `)}\n`)
    const { host, user, keyFile } = sshd
    const there = (at: string): BenchPlace => ({ kind: 'sftp', host, port, user, keyFile, knownHostsFile, folder: at })
    const known = [`-oUserKnownHostsFile=${knownHostsFile}`, '-oStrictHostKeyChecking=yes', '-oGlobalKnownHostsFile=/dev/null']
    return await inTurnsOfCopies(options, bytes, async (turn) => {
      const out = join(folder, `out-${turn}`)
      await mkdir(out)
      const theirs = join(out, 'theirs')
      const command = way === 'up' ? `put ${join(source, FILE)} ${theirs}` : `get ${join(source, FILE)} ${theirs}`
      return {
        ours: () =>
          way === 'up'
            ? copy({ kind: 'folder', folder: source }, there(out))
            : copy(there(source), { kind: 'folder', folder: out }),
        theirs: () =>
          run(
            'sh',
            [
              '-c',
              'echo "$0" | sftp -q -b - "$@" && sync "$OUT"',
              command,
              ...['-F', 'none', '-i', keyFile, ...known, '-P', String(port), `${user}@${host}`],
            ],
            { env: { PATH: process.env.PATH ?? '', OUT: theirs } },
          ),
        clean: () => rm(out, { recursive: true }),
      }
    })
  } finally {
    proxy?.stop()
    await sshd.stop()
  }
}

/** Delays in a program of its own, so that it takes nothing of either tool's time. */
async function startProxy(port: number, delayMs: number): Promise<{ port: number; stop(): void }> {
  const child = spawn(process.execPath, [PROXY, String(port), String(delayMs)], { stdio: ['ignore', 'pipe', 'inherit'] })
  const [line] = (await once(child.stdout, 'data')) as [Buffer]
  return { port: Number(line.toString()), stop: () => void child.kill() }
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
  const turns = isQuick ? 2 : 3
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
