import { execFile } from 'node:child_process'
import { open } from 'node:fs/promises'
import { availableParallelism } from 'node:os'
import { join } from 'node:path'
import { promisify } from 'node:util'
import { type Bench, type BenchOptions, inTurns, type Measured } from './bench.ts'
import { type CryptProcess, electronProcess, nodeProcess } from './support/crypt-process.ts'

const run = promisify(execFile)

/** One file alone, then two side by side, each turn beside openssl on as many bytes; the result goes nowhere. */
async function encryptSpeed(
  start: (folder: string) => Promise<CryptProcess>,
  { folder, isQuick, say }: BenchOptions,
): Promise<Measured> {
  const bytes = isQuick ? 16 * 1024 * 1024 : 96 * 1024 * 1024
  const path = join(folder, 'plain.bin')
  const file = await open(path, 'wx')
  await file.truncate(bytes)
  await file.close()
  const cipher = ['enc', '-e', '-aes-256-cfb8', '-K', '11'.repeat(32), '-iv', '22'.repeat(16), '-in', path, '-out', '/dev/null']
  const process = await start(folder)
  const megabytes = bytes / 1e6
  let peak = 0
  const encrypt = async (files: number) => {
    const result = await process.run({ kind: 'encrypt', bytes, files, password: 'pw' })
    say(`${files} side by side: ${((files * megabytes) / result.seconds).toFixed(1)} MB/s`)
    peak = Math.max(peak, result.peak)
  }
  try {
    const theirs = () => run('openssl', cipher).then(() => {})
    const alone = await inTurns(isQuick ? 1 : 3, () => encrypt(1), theirs)
    const both = await inTurns(1, () => encrypt(2), theirs)
    const openssl = megabytes / alone.theirs
    const ours = megabytes / alone.ours
    const note =
      `MB/s of one file, ${(ours / openssl).toFixed(2)} × openssl enc -e -aes-256-cfb8 (${openssl.toFixed(0)} MB/s); ` +
      `two side by side ${((2 * megabytes) / both.ours).toFixed(1)} MB/s on ${availableParallelism()} cores; ` +
      `${megabytes.toFixed(0)} MB each, peak memory ${(peak / 1e6).toFixed(0)} MB`
    return { ours, theirs: 1, unit: 'MB/s', note }
  } finally {
    await process.stop()
  }
}

const against = 'a plain limit; openssl enc -e -aes-256-cfb8 in the note'

export const benches: Bench[] = [
  { name: 'encrypt-electron', against, bound: { atLeast: 6 }, run: (options) => encryptSpeed(electronProcess, options) },
  { name: 'encrypt-node', against, bound: { atLeast: 6 }, run: (options) => encryptSpeed(nodeProcess, options) },
]
