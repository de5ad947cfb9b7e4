import { execFileSync } from 'node:child_process'
import { mkdir, symlink, truncate, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { TarWalk } from '#engine/foundation/content/tar-walk.ts'
import { temporaryFolder } from '#test/support/home.ts'

async function archive(format: string, ...options: string[]): Promise<Buffer> {
  const folder = await temporaryFolder()
  await mkdir(join(folder, '2026', 'ż'.repeat(60)), { recursive: true })
  await writeFile(join(folder, '2026', 'ż'.repeat(60), `${'long'.repeat(30)}.txt`), 'x'.repeat(513))
  await writeFile(join(folder, 'empty'), '')
  await writeFile(join(folder, 'block'), 'y'.repeat(512))
  await symlink('block', join(folder, 'link'))
  await writeFile(join(folder, 'holes'), '')
  await truncate(join(folder, 'holes'), 3_000_000)
  return execFileSync('tar', ['-C', folder, '-c', `--format=${format}`, ...options, '.'], { maxBuffer: 1e8 })
}

function walk(content: Buffer, chunk: number): string {
  const tar = new TarWalk()
  for (let at = 0; at < content.length; at += chunk) tar.write(content.subarray(at, at + chunk))
  return tar.end()
}

describe('TarWalk', () => {
  it.each([
    ['gnu'],
    ['gnu', '--sparse'],
    ['gnu', '--owner=4000000000'],
    ['pax'],
    ['pax', '--pax-option=comment=some'],
    ['posix', '--sparse'],
    ['oldgnu', '--sparse'],
  ])('walks what tar writes: %s %s', async (format, ...options) => {
    const content = await archive(format, ...options)
    for (const chunk of [513, 4096, 1_000_000]) expect(walk(content, chunk)).toMatch(/^8 entries/)
    for (const cut of [1, 600, 20_000])
      expect(() => walk(content.subarray(0, content.length - 10_240 - cut), 4096)).toThrow('cut')
  })

  it('finds every damaged header', async () => {
    const content = await archive('gnu')
    for (const at of [0, 99, 107, 124, 130, 148, 156, 257, 345]) {
      const damaged = Buffer.from(content)
      damaged[at] = (damaged[at] ?? 0) ^ 4
      expect(() => walk(damaged, 4096), `byte ${at}`).toThrow('damaged')
    }
  })

  it('refuses sizes that cannot be, in octal, base 256 and extended headers', async () => {
    const header = (change: (bytes: Buffer) => void) => {
      const bytes = Buffer.alloc(512)
      bytes.write('x')
      change(bytes)
      bytes.write('        ', 148)
      bytes.write(`${bytes.reduce((sum, byte) => sum + byte, 0).toString(8)}\0`, 148)
      return bytes
    }
    const end = Buffer.alloc(1024)
    const sized = (size: Buffer, type = '0') =>
      header((bytes) => {
        size.copy(bytes, 124)
        bytes.write(type, 156)
      })
    expect(walk(Buffer.concat([sized(Buffer.from('00000000000')), end]), 512)).toMatch(/^1 entry/)
    expect(() => walk(Buffer.concat([sized(Buffer.alloc(12, 0xff)), end]), 512)).toThrow('impossible')
    expect(() => walk(Buffer.concat([sized(Buffer.from('80ffffffffffffffffffff00', 'hex')), end]), 512)).toThrow('impossible')
    expect(() => walk(Buffer.concat([sized(Buffer.from('rubbish')), end]), 512)).toThrow('impossible')
    expect(() => walk(Buffer.concat([sized(Buffer.from('00077777777'), 'x'), end]), 512)).toThrow('impossible')
    const pax = (record: string) => {
      const body = Buffer.alloc(512)
      body.write(record)
      return Buffer.concat([sized(Buffer.from(record.length.toString(8)), 'x'), body, sized(Buffer.from('0')), end])
    }
    expect(walk(pax('10 size=0\n'), 512)).toMatch(/^1 entry/)
    expect(() => walk(pax('13 size=9999\n'), 512)).toThrow('cut')
    expect(() => walk(pax('31 size=99999999999999999999999\n'), 512)).toThrow('impossible')
    expect(() => walk(pax('99 size=1\n'), 512)).toThrow('damaged')
    expect(() => walk(pax('x'), 512)).toThrow('damaged')
  })
})
