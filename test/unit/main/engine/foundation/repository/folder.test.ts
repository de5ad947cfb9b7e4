import { execFileSync } from 'node:child_process'
import { chmod, chown, mkdir, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { describe, expect, it } from 'vitest'
import { openFolderRepository } from '#engine/foundation/repository/folder.ts'
import { temporaryFolder } from '#test/support/home.ts'
import { codeOf, repositoryContract } from '#test/support/repository-contract.ts'
import { slotContract } from '#test/support/slot-contract.ts'

repositoryContract('vault', async () =>
  openFolderRepository({ folder: join(await temporaryFolder(), 'vault'), owner: 'home', create: true }),
)
repositoryContract('server folder', async () => openFolderRepository({ folder: await temporaryFolder(), owner: 'server' }))

for (const owner of ['home', 'server'] as const) {
  slotContract(
    owner === 'home' ? 'vault' : 'server folder',
    async () => {
      const folder = await temporaryFolder()
      return {
        open: async () => openFolderRepository({ folder, owner }),
        putForeign: (name, content) => (content === null ? rm(join(folder, name)) : writeFile(join(folder, name), content)),
      }
    },
    { isServer: owner === 'server' },
  )
}

const mode = async (path: string) => (await stat(path)).mode & 0o777
const isRoot = process.getuid?.() === 0
if (!isRoot) console.error('SKIPPED in folder.test.ts: owners of files can only be tried as root')

describe('openFolderRepository', () => {
  it('makes the vault at the first write, closed to others', async () => {
    const folder = join(await temporaryFolder(), 'deep', 'vault')
    const vault = openFolderRepository({ folder, owner: 'home', create: true })
    expect(await vault.list()).toEqual([])
    expect((await vault.readIndex()).size).toBe(0)
    await vault.put('a.gz', Readable.from(['x']))
    await vault.updateIndex((index) => index.set('a-1', { timestamp: 1 }))
    expect(await mode(folder)).toBe(0o700)
    expect(await mode(join(folder, 'a.gz'))).toBe(0o600)
    expect(await mode(join(folder, 'backup.json'))).toBe(0o600)
  })

  it.runIf(isRoot)('gives files in a server’s folder the owner and mode of their neighbours', async () => {
    const folder = await temporaryFolder()
    await writeFile(join(folder, 'backup.json'), '{}')
    await chown(join(folder, 'backup.json'), 1234, 4321)
    await chmod(join(folder, 'backup.json'), 0o640)
    const server = openFolderRepository({ folder, owner: 'server' })
    await server.put('a.gz', Readable.from(['x']))
    await server.updateIndex((index) => index.set('a-1', { timestamp: 1 }))
    for (const file of ['a.gz', 'backup.json']) {
      expect(await stat(join(folder, file))).toMatchObject({ uid: 1234, gid: 4321 })
      expect(await mode(join(folder, file))).toBe(0o640)
    }
  })

  it('says that a server’s folder is not there, with its path', async () => {
    const folder = join(await temporaryFolder(), 'gone')
    const server = openFolderRepository({ folder, owner: 'server' })
    expect(await codeOf(server.list())).toBe('repository-unreachable')
    expect(await codeOf(server.readIndex())).toBe('repository-unreachable')
    expect(await codeOf(server.put('a.gz', Readable.from(['x'])))).toBe('repository-unreachable')
    await expect(server.list()).rejects.toThrow(folder)
  })

  it('neither lists nor opens links, folders and pipes', async () => {
    const folder = await temporaryFolder()
    await writeFile(join(folder, 'secret'), 'secret')
    await symlink(join(folder, 'secret'), join(folder, 'a-1.sql.gz'))
    await mkdir(join(folder, 'a-2.sql.gz'))
    execFileSync('mkfifo', [join(folder, 'a-3.sql.gz')])
    const server = openFolderRepository({ folder, owner: 'server' })
    expect((await server.list()).map(({ name }) => name)).toEqual(['secret'])
    for (const name of ['a-1.sql.gz', 'a-2.sql.gz', 'a-3.sql.gz']) {
      expect(await server.stat(name)).toBeNull()
      expect(await codeOf(server.read(name))).toBe('not-a-file')
    }
  })

  it('notices that a file changes while it is read', async () => {
    const folder = await temporaryFolder()
    const server = openFolderRepository({ folder, owner: 'server' })
    const { version } = await server.put('a.gz', Readable.from([Buffer.alloc(2_000_000)]))
    const reading = await server.read('a.gz', { ifVersion: version })
    const iterator = reading[Symbol.asyncIterator]()
    await iterator.next()
    await server.put('a.gz', Readable.from([Buffer.alloc(2_000_000, 1)]))
    const rest = async () => {
      while (!(await iterator.next()).done);
    }
    expect(await codeOf(rest())).toBe('changed-while-reading')
  })

  it('stops reading when asked to', async () => {
    const folder = await temporaryFolder()
    const server = openFolderRepository({ folder, owner: 'server' })
    await server.put('a.gz', Readable.from([Buffer.alloc(2_000_000)]))
    const abort = new AbortController()
    const reading = buffer(await server.read('a.gz', { signal: abort.signal }))
    abort.abort()
    await expect(reading).rejects.toMatchObject({ name: 'AbortError' })
  })

  it('does not write the index while the server writes it', async () => {
    const folder = await temporaryFolder()
    await writeFile(join(folder, 'backup.json'), '{"a-1":{"timestamp":1}}')
    await writeFile(join(folder, 'backup.json.tmp'), '')
    const server = openFolderRepository({ folder, owner: 'server' })
    expect(await codeOf(server.updateIndex((index) => index.clear()))).toBe('index-busy')
    expect(await readFile(join(folder, 'backup.json'), 'utf8')).toBe('{"a-1":{"timestamp":1}}')
    expect((await readdir(folder)).sort()).toEqual(['backup.json', 'backup.json.tmp'])
  })

  it('merges again when somebody else wrote the index meanwhile, and gives up in the end', async () => {
    const folder = await temporaryFolder()
    const index = join(folder, 'backup.json')
    const server = openFolderRepository({ folder, owner: 'server' })
    const { writeFileSync } = await import('node:fs')
    let times = 0
    await server.updateIndex((entries) => {
      times += 1
      if (times <= 2) writeFileSync(index, `{"theirs-${times}":{"timestamp":${times}}}`)
      entries.set('ours-1', { timestamp: 9 })
    })
    expect(times).toBe(4)
    expect([...(await server.readIndex()).keys()]).toEqual(['theirs-2', 'ours-1'])
    const giveUp = server.updateIndex((entries) => {
      times += 1
      writeFileSync(index, `{"theirs-${times}":{"timestamp":${times}}}`)
      entries.set('ours-1', { timestamp: 10 })
    })
    expect(await codeOf(giveUp)).toBe('index-busy')
    expect(await readFile(index, 'utf8')).toBe(`{"theirs-${times}":{"timestamp":${times}}}`)
    expect(await readdir(folder)).toEqual(['backup.json'])
  })
})
