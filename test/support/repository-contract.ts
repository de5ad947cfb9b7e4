import { createHash } from 'node:crypto'
import { Readable } from 'node:stream'
import { buffer } from 'node:stream/consumers'
import { describe, expect, it } from 'vitest'
import type { Repository } from '#engine/foundation/repository/types.ts'
import { AppError } from '#shared/errors.ts'

const sha256 = (bytes: Uint8Array) => createHash('sha256').update(bytes).digest('hex')
const body = (bytes: Buffer, chunk = 1000) =>
  Readable.from(Array.from({ length: Math.ceil(bytes.length / chunk) }, (_, at) => bytes.subarray(at * chunk, (at + 1) * chunk)))

export async function codeOf(promise: Promise<unknown>): Promise<string> {
  return promise.then(
    () => 'no error',
    (error: unknown) => (error instanceof AppError ? error.code : String(error)),
  )
}

/** What every kind of repository does, whatever it stands on. `open` gives an empty one. */
export function repositoryContract(kind: string, open: () => Promise<Repository>): void {
  const content = Buffer.from(Array.from({ length: 5000 }, (_, at) => at % 251))

  describe(`${kind}: the contract of repositories`, () => {
    it('puts, lists, stats and reads a file', async () => {
      const repository = await open()
      const put = await repository.put('a-1.sql.gz', body(content), { sha256: sha256(content) })
      expect(put).toMatchObject({ name: 'a-1.sql.gz', size: content.length })
      expect(await repository.stat('a-1.sql.gz')).toEqual(put)
      expect((await repository.list()).map(({ name }) => name)).toEqual(['a-1.sql.gz'])
      expect(await buffer(await repository.read('a-1.sql.gz'))).toEqual(content)
      expect(await buffer(await repository.read('a-1.sql.gz', { offset: 4990 }))).toEqual(content.subarray(4990))
      expect(await buffer(await repository.read('a-1.sql.gz', { offset: 10, length: 7 }))).toEqual(content.subarray(10, 17))
      expect(await buffer(await repository.read('a-1.sql.gz', { ifVersion: put.version }))).toEqual(content)
    })

    it('leaves nothing behind when the hash differs, the source breaks or it is cancelled', async () => {
      const repository = await open()
      expect(await codeOf(repository.put('a.gz', body(content), { sha256: sha256(Buffer.from('other')) }))).toBe('hash-differs')
      const broken = Readable.from(
        (async function* () {
          yield content
          throw new AppError('source-broke', 'The source broke.')
        })(),
      )
      expect(await codeOf(repository.put('a.gz', broken))).toBe('source-broke')
      const abort = new AbortController()
      const endless = Readable.from(
        (async function* () {
          yield content
          abort.abort()
          await new Promise(() => {})
        })(),
      )
      await expect(repository.put('a.gz', endless, { signal: abort.signal })).rejects.toThrow()
      expect(await repository.list()).toEqual([])
      expect(await repository.stat('a.gz')).toBeNull()
    })

    it('puts only where nothing is, or over the version that was seen', async () => {
      const repository = await open()
      const first = await repository.put('a.gz', body(content), { ifAbsent: true })
      expect(await codeOf(repository.put('a.gz', body(Buffer.from('new')), { ifAbsent: true }))).toBe('exists')
      expect(await buffer(await repository.read('a.gz'))).toEqual(content)
      const second = await repository.put('a.gz', body(Buffer.from('new')), { ifVersion: first.version })
      expect(second.version).not.toBe(first.version)
      expect(await codeOf(repository.put('a.gz', body(content), { ifVersion: first.version }))).toBe('changed-meanwhile')
      expect(String(await buffer(await repository.read('a.gz')))).toBe('new')
      expect(await codeOf(repository.read('a.gz', { ifVersion: first.version }))).toBe('changed-while-reading')
    })

    it('removes, also what is not there', async () => {
      const repository = await open()
      await repository.put('a.gz', body(content))
      await repository.remove('a.gz')
      await repository.remove('a.gz')
      expect(await repository.list()).toEqual([])
      await expect(repository.read('a.gz')).rejects.toThrow()
    })

    it.each(['', '.', '..', '../a', 'a/b', 'a\\b', '/etc/passwd', 'a\0b', 'NUL', 'con.txt', 'x:y', 'a.', 'é'.repeat(200)])(
      'refuses the name %j',
      async (name) => {
        const repository = await open()
        const actions: (() => Promise<unknown>)[] = [
          () => repository.put(name, body(content)),
          () => repository.read(name),
          () => repository.stat(name),
          () => repository.remove(name),
        ]
        for (const action of actions) {
          expect(await codeOf(Promise.resolve().then(action))).toBe('unsafe-name')
        }
      },
    )

    it('keeps its own names to itself', async () => {
      const repository = await open()
      for (const name of ['backup.json', 'backup.json.tmp', 'a-1.sql.gz.zbd-0123456789abcdef.part']) {
        expect(await codeOf(repository.put(name, body(content)))).toBe('reserved-name')
        expect(await codeOf(repository.remove(name))).toBe('reserved-name')
      }
    })

    it('keeps an index: empty at first, merged entry by entry', async () => {
      const repository = await open()
      expect((await repository.readIndex()).size).toBe(0)
      await repository.updateIndex((index) => index.set('a-1', { timestamp: 1, note: { kept: [1, 2] } }))
      await repository.updateIndex((index) => index.set('a-2', { timestamp: 2, is_encrypted: true }))
      await repository.updateIndex((index) => index.delete('no such'))
      expect([...(await repository.readIndex())]).toEqual([
        ['a-1', { timestamp: 1, note: { kept: [1, 2] } }],
        ['a-2', { timestamp: 2, is_encrypted: true }],
      ])
      expect((await repository.list()).map(({ name }) => name)).toEqual(['backup.json'])
    })

    it('loses no entry when many write the index at the same time with its lease', async () => {
      const repository = await open()
      await Promise.all(
        Array.from({ length: 8 }, async (_, at) => {
          const lease = await repository.lease()
          try {
            await repository.updateIndex((index) => index.set(`a-${at}`, { timestamp: at }))
          } finally {
            await lease.release()
          }
        }),
      )
      expect((await repository.readIndex()).size).toBe(8)
    })
  })
}
