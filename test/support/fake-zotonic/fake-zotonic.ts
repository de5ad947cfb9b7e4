import { chmod, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import type { PostgresConnection } from '#engine/foundation/connections/postgres.ts'

/** A printed value: as it is, a list, a map, or `{ term }`, the text of an Erlang term. */
export type FakeSetting = string | number | boolean | string[] | { term: string } | Record<string, string | number>

export interface FakeSite {
  state: string
  siteDir: string
  filesDir: string
  securityDir: string
  /** What `siteconfig` prints, beside Zotonic's defaults. */
  config: Record<string, FakeSetting>
  /** What a backup dumps. */
  database: Pick<PostgresConnection, 'host' | 'port' | 'database' | 'user' | 'password'> & { schema: string }
  /** Between the steps of a backup. */
  pauseMs?: number
  /** The dump of a backup fails: the server then takes the slot's entry out of its index, and its files away. */
  fails?: boolean
  /** false: mod_backup is off. */
  hasModule?: boolean
}

export interface FakeServer {
  node: string
  sites: Record<string, FakeSite>
  /** What `zotonic config` prints, by application. */
  config?: Record<string, Record<string, FakeSetting>>
  /** By the first word of the command, or `all`: what it says on standard error, ending with 1. */
  refuses?: Record<string, string>
  /** It finds Zotonic running for this user only. */
  onlyAs?: string
  slowMs?: number
  clockAheadSeconds?: number
}

export interface FakeZotonic {
  /** Its path on the "server". */
  command: string
  /** Changes what it does from the next call on. */
  change(change: (fake: FakeServer) => void): Promise<void>
  /** Keeps backups from coming into the index until what is returned is called. */
  hold(): Promise<() => Promise<void>>
  /** `USER WORDS` of each call so far. */
  calls(): Promise<string[]>
}

/** Puts a command in a folder of this computer that stands for Zotonic's: `FOLDER/bin/zotonic`. */
export async function installFakeZotonic(folder: string, fake: FakeServer): Promise<FakeZotonic> {
  const bin = join(folder, 'bin')
  await mkdir(bin, { recursive: true })
  const program = join(folder, 'command.mjs')
  await writeFile(program, await readFile(join(import.meta.dirname, 'command.mjs')))
  const command = join(bin, 'zotonic')
  await writeFile(command, `#!/bin/sh\nexec '${process.execPath}' '${program}' '${folder}' "$@"\n`)
  await chmod(command, 0o755)
  const pgDump = join(process.env.POSTGRES15_BIN ?? '/usr/lib/postgresql/15/bin', 'pg_dump')
  const save = () => writeFile(join(folder, 'fake.json'), JSON.stringify({ ...fake, pgDump }))
  await save()
  await writeFile(join(folder, 'calls.log'), '')
  // whoever it runs as writes its notes here
  await chmod(folder, 0o777)
  await chmod(join(folder, 'calls.log'), 0o666)
  return {
    command,
    async change(change) {
      change(fake)
      await save()
    },
    async hold() {
      const file = join(folder, 'hold')
      await writeFile(file, '')
      return () => rm(file, { force: true })
    },
    async calls() {
      return (await readFile(join(folder, 'calls.log'), 'utf8')).split('\n').filter((line) => line !== '')
    },
  }
}
