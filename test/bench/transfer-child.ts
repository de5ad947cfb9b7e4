import { readFileSync, rmSync } from 'node:fs'
import { mkdtemp } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { collectAtOnce } from '#engine/foundation/collect-at-once.ts'
import { openSshConnections } from '#engine/foundation/connections/ssh/connections.ts'
import { openLocks } from '#engine/foundation/locks.ts'
import { openFolderRepository } from '#engine/foundation/repository/folder.ts'
import { openSftpRepository } from '#engine/foundation/repository/sftp.ts'
import type { Repository } from '#engine/foundation/repository/types.ts'
import type { FilestoreSettings } from '#shared/model/site.ts'
import { directWorkers } from '#test/support/direct-workers.ts'
import { transfer } from '#test/support/transfers.ts'

/** A repository to be opened in a program of its own. */
export type BenchPlace =
  | { kind: 'folder'; folder: string }
  | { kind: 'sftp'; host: string; port: number; user: string; keyFile: string; knownHostsFile: string; folder: string }
  | { kind: 's3'; settings: FilestoreSettings; secret: string; transfers: string }

/** Copies a backup with the engine's own call; prints seconds and the most memory that it took. */
async function main(): Promise<void> {
  const { from, to, name } = JSON.parse(process.argv[2] ?? '') as { from: BenchPlace; to: BenchPlace; name: string }
  collectAtOnce()
  const [source, target] = [await openPlace(from), await openPlace(to)]
  const started = performance.now()
  await transfer(source, target, name)
  const seconds = (performance.now() - started) / 1000
  process.stdout.write(JSON.stringify({ seconds, rss: mostMemory() }))
  process.exit(0)
}

async function openPlace(place: BenchPlace): Promise<Repository> {
  if (place.kind === 'folder') return openFolderRepository({ folder: place.folder, owner: 'server' })
  if (place.kind === 'sftp') {
    const { host, port, user, keyFile, knownHostsFile, folder } = place
    const home = await mkdtemp(join(tmpdir(), 'bench-ssh-'))
    process.once('exit', () => rmSync(home, { recursive: true, force: true }))
    const locks = openLocks(join(home, 'locks'), 'bench')
    const ssh = openSshConnections({ knownHostsFile, locks, workers: directWorkers, around: { userHome: home, env: {} } })
    const connection = await ssh.connect({ settings: { host, port, user, auth: 'key', keyFile }, secrets: {} })
    return openSftpRepository({ connection, folder })
  }
  const { openS3Repository } = await import('#engine/foundation/repository/s3/repository.ts')
  return openS3Repository(place)
}

/** Linux counts what its parent had at the fork into maxRSS; the mark of the program itself is another one. */
function mostMemory(): number {
  const { maxRSS } = process.resourceUsage()
  if (process.platform !== 'linux') return maxRSS * 1024
  const mark = /^VmHWM:\s*(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))?.[1]
  return Number(mark ?? maxRSS) * 1024
}

await main()
