import { chmod, mkdir, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { chooseTool, findPgDumps, type PgDumpTool, pgDumpFolders } from '#engine/features/backup/pg-dump/find.ts'
import { temporaryFolder } from '#test/support/home.ts'

const tool = (version: string): PgDumpTool => {
  const [major = 0, minor = 0] = version.split('.').map(Number)
  return { path: `/${version}/pg_dump`, version, major, minor }
}

describe('pgDumpFolders', () => {
  it('looks on PATH first, then where installers of the system put it', () => {
    expect(pgDumpFolders({ platform: 'linux', env: { PATH: '/usr/bin:bin::/opt/x' } })).toEqual([
      '/usr/bin',
      '/opt/x',
      '/usr/lib/postgresql/*/bin',
      '/usr/pgsql-*/bin',
      '/usr/local/pgsql/bin',
    ])
    const mac = pgDumpFolders({ platform: 'darwin', env: {} })
    expect(mac).toContain('/opt/homebrew/opt/postgresql*/bin')
    expect(mac).toContain('/usr/local/opt/libpq/bin')
    expect(mac).toContain('/Applications/Postgres.app/Contents/Versions/*/bin')
    expect(mac).toContain('/Library/PostgreSQL/*/bin')
    const env = { Path: 'C:\\tools;relative', ProgramFiles: 'C:\\Program Files', ProgramW6432: 'C:\\Program Files' }
    expect(pgDumpFolders({ platform: 'win32', env })).toEqual(['C:\\tools', 'C:\\Program Files\\PostgreSQL\\*\\bin'])
  })
})

describe('chooseTool', () => {
  it('takes the nearest version that is not older than the server, in its newest edition', () => {
    const tools = ['13.4', '16.2', '16.10', '18.0', '15.1'].map(tool)
    expect(chooseTool(tools, 15)?.version).toBe('15.1')
    expect(chooseTool(tools, 16)?.version).toBe('16.10')
    expect(chooseTool(tools, 17)?.version).toBe('18.0')
    expect(chooseTool(tools, 19)).toBeNull()
    expect(chooseTool([], 15)).toBeNull()
  })
})

describe.skipIf(process.platform === 'win32')('findPgDumps', () => {
  it('asks each program once for its version, and passes over what does not answer', async () => {
    const folder = await temporaryFolder()
    const program = async (name: string, text: string) => {
      await mkdir(join(folder, name), { recursive: true })
      await writeFile(join(folder, name, 'pg_dump'), text)
      await chmod(join(folder, name, 'pg_dump'), 0o755)
    }
    await program('a', '#!/bin/sh\necho "pg_dump (PostgreSQL) 99.7 (Debian 99.7-1)"\n')
    await program('b', '#!/bin/sh\necho "pg_dump (PostgreSQL) 98beta2"\n')
    await program('broken', '#!/bin/sh\nexit 3\n')
    await program('other', '#!/bin/sh\necho "hello"\n')
    await mkdir(join(folder, 'again'))
    await symlink(join(folder, 'a', 'pg_dump'), join(folder, 'again', 'pg_dump'))
    await writeFile(join(folder, 'pg_wrapper'), '#!/bin/sh\necho "pg_dump (PostgreSQL) 97.1"\n', { mode: 0o755 })
    await mkdir(join(folder, 'wrapped'))
    await symlink(join(folder, 'pg_wrapper'), join(folder, 'wrapped', 'pg_dump'))
    const path = ['a', 'b', 'broken', 'other', 'again', 'wrapped', 'missing'].map((name) => join(folder, name)).join(':')
    const found = await findPgDumps({ platform: process.platform, env: { PATH: path } })
    expect(found.filter(({ path: place }) => place.startsWith(folder))).toEqual([
      { path: join(folder, 'a', 'pg_dump'), version: '99.7', major: 99, minor: 7 },
      { path: join(folder, 'b', 'pg_dump'), version: '98beta2', major: 98, minor: 0 },
    ])
  })

  it('finds those of the system without PATH', async () => {
    const found = await findPgDumps({ platform: process.platform, env: {} })
    if (process.platform === 'linux') expect(found.map(({ path }) => path)).toContain('/usr/lib/postgresql/15/bin/pg_dump')
  })
})
