import { Header } from 'tar'
import { describe, expect, it } from 'vitest'
import { type TarEntry, tarHeader } from '#engine/features/backup/tar-format.ts'

const entry: TarEntry = {
  name: Buffer.from('./a'),
  kind: 'file',
  mode: 0o100644,
  size: 5,
  modified: 1_795_398_925,
  uid: 1001,
  gid: 1001,
  user: 'zotonic',
  group: 'zotonic',
}

function read(change: Partial<TarEntry>): Header {
  return new Header(tarHeader({ ...entry, ...change }).subarray(-512))
}

describe('tarHeader', () => {
  it('is read back by node-tar, checksum included', () => {
    const header = read({})
    expect(header.cksumValid).toBe(true)
    expect(header).toMatchObject({ path: './a', mode: 0o644, size: 5, uid: 1001, gid: 1001 })
    expect(header.type).toBe('File')
    expect(header.mtime?.getTime()).toBe(1_795_398_925_000)
  })

  it('writes what octal digits cannot hold as base-256', () => {
    for (const size of [8 ** 11 - 1, 8 ** 11, 2 ** 40 + 1, 20_000_000_000_000]) {
      expect(read({ size }).size).toBe(size)
    }
    expect(read({ uid: 4_000_000_000 }).uid).toBe(4_000_000_000)
    expect(read({ modified: -86_400.5 }).mtime?.getTime()).toBe(-86_401_000)
  })

  it('cuts a long user name and keeps a name of exactly 100 bytes in one block', () => {
    // node-tar reads names of users from POSIX headers only
    expect(tarHeader({ ...entry, user: 'u'.repeat(50) }).toString('latin1', 265, 297)).toBe(`${'u'.repeat(31)}\0`)
    expect(tarHeader({ ...entry, name: Buffer.alloc(100, 'n') })).toHaveLength(512)
    expect(tarHeader({ ...entry, name: Buffer.alloc(101, 'n') })).toHaveLength(1536)
  })
})
