import { execFile } from 'node:child_process'
import { createHash } from 'node:crypto'
import { createReadStream } from 'node:fs'
import { mkdir } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import { writeLargeEnc } from '#test/support/large-enc.ts'
import { type Bench, type BenchOptions, inTurns, type Measured } from './bench.ts'
import { type CryptProcess, electronProcess, nodeProcess } from './support/crypt-process.ts'

const run = promisify(execFile)
const HEADER_BYTES = 54
const PASSWORD = 'a long enough password'

/**
 * A whole decryption as the product does it (key derivation, file to file, synced) beside openssl's (key given, file to
 * file). openssl can't start behind a header: it reads a copy without one.
 */
async function decryptBeside(
  start: (folder: string) => Promise<CryptProcess>,
  { folder, isQuick, say }: BenchOptions,
): Promise<Measured> {
  // large enough that the key, some 0.3 s that openssl is not asked for, does not count
  const bytes = isQuick ? 40_000_000 : 600_000_000
  const path = join(folder, 'large.bin.enc')
  const out = join(folder, 'out')
  const bare = join(folder, 'bare.bin')
  await mkdir(out)
  const { key, iv } = await writeLargeEnc(path, PASSWORD, bytes)
  await run('sh', ['-c', `tail -c +${HEADER_BYTES + 1} "$0" > "$1"`, path, bare])
  const cipher = ['enc', '-d', '-aes-256-cfb8', '-nopad', '-K', key.toString('hex'), '-iv', iv.toString('hex')]
  const process = await start(folder)
  let peak = 0
  let threads = 0
  try {
    const seconds = await inTurns(
      isQuick ? 1 : 3,
      async () => {
        const result = await process.run({ kind: 'decrypt', path, out, password: PASSWORD })
        say(`ours ${(bytes / 1e6 / result.seconds).toFixed(0)} MB/s`)
        peak = Math.max(peak, result.peak)
        threads = result.threads
      },
      () => run('openssl', [...cipher, '-in', bare, '-out', join(out, 'theirs.bin')]).then(() => {}),
    )
    const [ours, theirs] = await Promise.all([sha256(join(out, 'large.bin')), sha256(join(out, 'theirs.bin'))])
    if (ours !== theirs) throw new Error('openssl and Backup Desk do not agree on the content')
    const note = `${bytes / 1e6} MB, ${threads} threads on ${availableParallelism()} cores, peak memory ${(peak / 1e6).toFixed(0)} MB`
    return { ours: bytes / 1e6 / seconds.ours, theirs: bytes / 1e6 / seconds.theirs, unit: 'MB/s', note }
  } finally {
    await process.stop()
  }
}

async function sha256(path: string): Promise<string> {
  const hash = createHash('sha256')
  await pipeline(createReadStream(path), hash)
  return hash.digest('hex')
}

export const benches: Bench[] = [
  {
    name: 'decrypt-node',
    against: 'openssl enc -d -aes-256-cfb8',
    bound: { atLeast: 5 },
    run: (options) => decryptBeside(nodeProcess, options),
  },
  {
    name: 'decrypt-electron',
    against: 'openssl enc -d -aes-256-cfb8',
    bound: { atLeast: 2 },
    run: (options) => decryptBeside(electronProcess, options),
  },
]
