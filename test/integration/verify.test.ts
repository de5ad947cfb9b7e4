import { copyFile, mkdir, readFile, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { gunzipSync, gzipSync } from 'node:zlib'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { listFolder } from '#engine/features/listing/index.ts'
import { type VerifyLevel, verifyBackup } from '#engine/features/proof/index.ts'
import { workerFile } from '#engine/foundation/bundles.ts'
import { openFolderRepository } from '#engine/foundation/repository/folder.ts'
import { createWorkers, type Workers } from '#engine/foundation/workers.ts'
import type { BackupEntry, PartKind, Proof } from '#shared/model/backup.ts'
import { fixture, hasFixtures } from '#test/support/fixtures.ts'
import { temporaryFolder } from '#test/support/home.ts'

if (!hasFixtures) console.error('SKIPPED test/integration/verify.test.ts: the fixtures of a real server are missing')

const GENERATED = 'g7t2a-y1fcW-sliow-BBad@<'
const CHOSEN = 'zażółć-backup-🔐 pw'
const FIELDS: Record<PartKind, string> = { database: 'database', config: 'config_files', files: 'files' }

let workers: Workers
beforeAll(() => {
  workers = createWorkers({ file: workerFile(), size: 2 })
})
afterAll(() => workers.close())

async function entriesOf(folder: string): Promise<Map<string, BackupEntry>> {
  return new Map((await listFolder(folder)).backups.map((backup) => [backup.name, backup]))
}

async function verify(
  folder: string,
  entry: BackupEntry,
  options: { level?: VerifyLevel; passwords?: string[] } = {},
): Promise<Proof> {
  const { level = 2, passwords = [] } = options
  return verifyBackup({ repository: openFolderRepository({ folder, owner: 'server' }), entry, level, passwords, workers })
}

/** A copy of a server's folder, with one entry of its index, or one part of it, left. */
async function copyOf(
  name: string,
  backup: string,
  part?: PartKind,
): Promise<{ folder: string; entry: () => Promise<BackupEntry>; file: (part: PartKind) => string }> {
  const folder = await temporaryFolder()
  const index = JSON.parse(await readFile(fixture('backups', name, 'backup.json'), 'utf8')) as Record<
    string,
    Record<string, unknown>
  >
  const only = { ...index[backup]! }
  for (const [kind, field] of Object.entries(FIELDS)) {
    if (part !== undefined && kind !== part) only[field] = null
    else if (typeof only[field] === 'string') await copyFile(fixture('backups', name, only[field]), join(folder, only[field]))
  }
  await writeFile(join(folder, 'backup.json'), JSON.stringify({ [backup]: only }))
  return {
    folder,
    entry: async () => (await entriesOf(folder)).get(backup)!,
    file: (kind) => join(folder, String(only[FIELDS[kind]])),
  }
}

/** Changes the index of a copy. */
async function alter(folder: string, change: (entry: Record<string, unknown>) => void): Promise<void> {
  const path = join(folder, 'backup.json')
  const index = JSON.parse(await readFile(path, 'utf8')) as Record<string, Record<string, unknown>>
  for (const entry of Object.values(index)) change(entry)
  await writeFile(path, JSON.stringify(index))
}

/** So many places, from the first byte to the last. */
const places = (count: number, size: number) =>
  Array.from({ length: count }, (_, at) => Math.round((at * (size - 1)) / (count - 1)))

describe.skipIf(!hasFixtures)('verifyBackup on a real server’s backups', () => {
  it.each(['1-plain-full', '2-encrypted-full-autopw', '3-slots-mixed'])('%s: all are whole, read to the end', async (name) => {
    const folder = fixture('backups', name)
    for (const [backup, entry] of await entriesOf(folder)) {
      const proof = await verify(folder, entry, { passwords: [GENERATED, CHOSEN] })
      expect(proof, backup).toMatchObject({ verdict: 'verified', level: 2 })
      expect(proof.parts.map(({ part }) => part)).toEqual(entry.parts.map(({ part }) => part))
    }
  })

  it('level 0 and 1 say only what they looked at', async () => {
    const folder = fixture('backups', '1-plain-full')
    const [entry] = (await entriesOf(folder)).values()
    const quick = await verify(folder, entry!, { level: 0 })
    expect(quick).toMatchObject({ verdict: 'verified', level: 0 })
    expect(quick.parts.map(({ levels }) => [levels.L1, levels.L2])).toEqual([
      [null, null],
      [null, null],
      [null, null],
    ])
    expect(await verify(folder, entry!, { level: 1 })).toMatchObject({ verdict: 'verified', level: 1 })
  })

  it('without a password an encrypted backup is not known, with a wrong one neither', async () => {
    const folder = fixture('backups', '2-encrypted-full-autopw')
    const [entry] = (await entriesOf(folder)).values()
    for (const [passwords, reason] of [
      [[], 'no password'],
      [['wrong'], 'no password fits'],
    ] as const) {
      const proof = await verify(folder, entry!, { passwords: [...passwords] })
      expect(proof).toMatchObject({ verdict: 'unknown', level: 0 })
      for (const { levels } of proof.parts) {
        expect(levels).toEqual({
          L0: { outcome: 'passed', reason: 'present' },
          L1: { outcome: 'unknown', reason },
          L2: { outcome: 'unknown', reason },
        })
      }
    }
  })

  it('accepts the hash of the stored file without a password, and knows nothing where no hash is recorded', async () => {
    const { folder, entry } = await copyOf('2-encrypted-full-autopw', 'testsite-1', 'config')
    await alter(folder, (index) => {
      index.config_files_hash = 'E2AC1648407AB589C795CA2933E792FA6787BFB3A8CEC924317F793FFC82CFFE'
    })
    expect(await verify(folder, await entry(), { level: 1 })).toMatchObject({ verdict: 'verified', level: 1 })
    await alter(folder, (index) => {
      index.config_files_hash = null
    })
    const proof = await verify(folder, await entry(), { level: 1, passwords: [GENERATED] })
    expect(proof).toMatchObject({ verdict: 'unknown', level: 0 })
    expect(proof.parts[0]?.levels.L1).toEqual({ outcome: 'unknown', reason: 'no hash recorded' })
    expect(await verify(folder, await entry(), { passwords: [GENERATED] })).toMatchObject({ verdict: 'verified', level: 2 })
    await alter(folder, (index) => {
      index.config_files_hash = 'no hash'
    })
    expect(await verify(folder, await entry(), { passwords: [GENERATED] })).toMatchObject({ verdict: 'failed', level: 0 })
  })
})

describe.skipIf(!hasFixtures)('verifyBackup on damage', () => {
  const plain: PartKind[] = ['database', 'config', 'files']

  it.each(plain)('finds one flipped bit anywhere in the plain %s part', async (part) => {
    const { folder, entry, file } = await copyOf('1-plain-full', 'testsite-1', part)
    const whole = await readFile(file(part))
    const target = await entry()
    for (const [number, place] of places(30, whole.length).entries()) {
      const damaged = Buffer.from(whole)
      damaged[place]! ^= 1 << (number % 8)
      await writeFile(file(part), damaged)
      for (const level of [1, 2] as const) {
        const proof = await verify(folder, target, { level })
        expect(proof, `byte ${place}, level ${level}`).toMatchObject({ verdict: 'failed' })
        expect(proof.parts[0]).toMatchObject({ part, levels: { L1: { outcome: 'failed' } } })
      }
    }
  })

  it('finds one flipped bit anywhere in an encrypted part, though the index has the hash of its content', async () => {
    const { folder, entry, file } = await copyOf('2-encrypted-full-autopw', 'testsite-1', 'config')
    const whole = await readFile(file('config'))
    const target = await entry()
    for (const [number, place] of places(30, whole.length).entries()) {
      const damaged = Buffer.from(whole)
      damaged[place]! ^= 1 << (number % 8)
      await writeFile(file('config'), damaged)
      const proof = await verify(folder, target, { passwords: [GENERATED] })
      // in the header it may look like a wrong password
      expect(proof.verdict, `byte ${place}`).toMatch(place < 54 ? /^(failed|unknown)$/ : /^failed$/)
    }
  })

  it('a damaged header is told from a wrong password by the other parts', async () => {
    const { folder, entry, file } = await copyOf('2-encrypted-full-autopw', 'testsite-1')
    const damaged = await readFile(file('config'))
    damaged[10]! ^= 1
    await writeFile(file('config'), damaged)
    const proof = await verify(folder, await entry(), { passwords: ['another', GENERATED] })
    expect(proof.verdict).toBe('failed')
    expect(proof.parts.map(({ part, levels }) => [part, levels.L1?.outcome, levels.L2?.outcome])).toEqual([
      ['database', 'passed', 'passed'],
      ['config', 'failed', 'failed'],
      ['files', 'passed', 'passed'],
    ])
  })

  it.each(plain)('finds a cut anywhere in the %s part, without its hash too', async (part) => {
    const { folder, entry, file } = await copyOf('1-plain-full', 'testsite-1', part)
    const whole = await readFile(file(part))
    const hashed = await entry()
    const unhashed = { ...hashed, parts: hashed.parts.map((known) => ({ ...known, hash: null })) }
    for (const length of places(30, whole.length)) {
      await writeFile(file(part), whole.subarray(0, length))
      expect(await verify(folder, hashed, { level: 1 }), `${length} bytes`).toMatchObject({ verdict: 'failed' })
      expect(await verify(folder, unhashed), `${length} bytes`).toMatchObject({ verdict: 'failed' })
    }
  })

  it('finds a cut of an encrypted part without its hash', async () => {
    const { folder, entry, file } = await copyOf('2-encrypted-full-autopw', 'testsite-1', 'config')
    await alter(folder, (index) => {
      index.config_files_hash = null
    })
    const whole = await readFile(file('config'))
    for (const length of [0, 1, 5, 30, 53, 54, 55, 72, 300, whole.length - 9, whole.length - 1]) {
      await writeFile(file('config'), whole.subarray(0, length))
      expect(await verify(folder, await entry(), { passwords: [GENERATED] }), `${length} bytes`).toMatchObject({
        verdict: 'failed',
      })
    }
  })

  it('names the part that is missing, empty, or something else', async () => {
    const { folder, entry, file } = await copyOf('1-plain-full', 'testsite-1')
    await rm(file('files'))
    await writeFile(file('config'), '')
    const proof = await verify(folder, await entry())
    expect(proof).toMatchObject({ verdict: 'failed', level: -1 })
    expect(proof.parts.map(({ file: name, levels }) => [name, levels.L0?.reason])).toEqual([
      ['testsite-1.sql.gz', 'present'],
      ['config-testsite-1.tar.gz', 'the file is empty'],
      ['testsite-1.tar.gz', 'the file is missing'],
    ])
    await rm(file('config'))
    await mkdir(file('config'))
    expect((await verify(folder, await entry())).parts[1]?.levels.L0).toMatchObject({
      outcome: 'failed',
      reason: 'the file is missing',
    })
  })

  it('finds a flag that the file contradicts', async () => {
    const flagged = await copyOf('1-plain-full', 'testsite-1', 'config')
    await alter(flagged.folder, (index) => {
      index.is_encrypted = true
    })
    const proof = await verify(flagged.folder, await flagged.entry(), { passwords: ['any'] })
    expect(proof.parts[0]?.levels.L0).toEqual({
      outcome: 'failed',
      reason: 'the index says that it is encrypted, the file is not',
    })
    const disguised = await copyOf('1-plain-full', 'testsite-1', 'config')
    await copyFile(fixture('backups', '2-encrypted-full-autopw', 'config-testsite-1.tar.gz.enc'), disguised.file('config'))
    expect(await verify(disguised.folder, await disguised.entry(), { passwords: [GENERATED] })).toMatchObject({
      verdict: 'failed',
      level: -1,
    })
  })

  it('opens nothing that is not the backup’s own', async () => {
    const { folder, entry } = await copyOf('1-plain-full', 'testsite-1', 'config')
    const outside = `../${folder.split('/').at(-1)}/config-testsite-1.tar.gz`
    await alter(folder, (index) => {
      index.config_files = outside
    })
    const proof = await verify(folder, await entry())
    expect(proof).toMatchObject({ verdict: 'failed', level: -1 })
    expect(proof.parts[0]?.file).toBe(outside)
  })

  it('a backup without parts is not known', async () => {
    const folder = await temporaryFolder()
    await writeFile(join(folder, 'backup.json'), '{"testsite-1":{"timestamp":1}}')
    const [entry] = (await entriesOf(folder)).values()
    expect(await verify(folder, entry!)).toMatchObject({ verdict: 'unknown', level: -1, parts: [] })
  })
})

describe.skipIf(!hasFixtures)('verifyBackup reads to the end', () => {
  /** Puts other content in place of a part, without a hash: only reading it can tell. */
  async function verdictOf(part: PartKind, make: (stored: Buffer) => Buffer): Promise<[string, string]> {
    const { folder, entry, file } = await copyOf('1-plain-full', 'testsite-1', part)
    await alter(folder, (index) => {
      index[`${FIELDS[part]}_hash`] = null
    })
    await writeFile(file(part), make(await readFile(file(part))))
    const proof = await verify(folder, await entry())
    return [proof.verdict, proof.parts[0]?.levels.L2?.reason ?? '']
  }
  const inside = (change: (content: Buffer) => Buffer) => (stored: Buffer) => gzipSync(change(gunzipSync(stored)))

  it.each([
    ['zeros', Buffer.alloc(10)],
    ['one zero', Buffer.alloc(1)],
    ['text', Buffer.from('and more')],
    ['one byte', Buffer.from([0x1f])],
    ['the start of a member', Buffer.from([0x1f, 0x8b, 8])],
    ['a cut member', gzipSync('more').subarray(0, 15)],
    ['many zeros', Buffer.alloc(1_000_000)],
    ['much text', Buffer.alloc(1_000_000, 'x')],
  ])('trailing bytes: %s', async (_what, trailing) => {
    for (const part of ['database', 'config'] as const) {
      const [verdict, reason] = await verdictOf(part, (stored) => Buffer.concat([stored, trailing]))
      expect(verdict, reason).toBe('failed')
    }
  })

  it('trailing bytes right at the border of two reads', async () => {
    for (const trailing of [Buffer.alloc(5), Buffer.from('x'), Buffer.alloc(300_000)]) {
      const [verdict] = await verdictOf('database', (stored) => {
        // a file name of the right length in its header makes the member end where a read ends
        const content = gunzipSync(stored)
        const packed = gzipSync(content, { level: 1 })
        const name = Buffer.alloc(262_144 * 2 - (packed.length % 262_144) - 1, 'n')
        const header = Buffer.from(packed.subarray(0, 10))
        header[3] = 8
        const member = Buffer.concat([header, name, Buffer.alloc(1), packed.subarray(10)])
        expect(member.length % 262_144).toBe(0)
        return Buffer.concat([member, trailing])
      })
      expect(verdict).toBe('failed')
    }
  })

  it('a dump of many members is whole; one with a damaged member is not', async () => {
    const split = (content: Buffer) =>
      Array.from({ length: Math.ceil(content.length / 5000) }, (_, at) => gzipSync(content.subarray(at * 5000, (at + 1) * 5000)))
    expect(await verdictOf('database', (stored) => Buffer.concat(split(gunzipSync(stored))))).toMatchObject([
      'verified',
      expect.any(String),
    ])
    const [verdict] = await verdictOf('database', (stored) => {
      const members = split(gunzipSync(stored))
      members[7]![members[7]!.length - 6]! ^= 1
      return Buffer.concat(members)
    })
    expect(verdict).toBe('failed')
  })

  it('a dump that was cut before it was compressed', async () => {
    for (const cut of [3, 60, 78, 100, 5000, 400_000]) {
      expect(
        await verdictOf(
          'database',
          inside((content) => content.subarray(0, content.length - cut)),
        ),
      ).toEqual(['failed', 'the dump is cut: its completion line is not its last line'])
    }
  })

  it('something else under the name of a dump', async () => {
    expect(await verdictOf('database', () => gzipSync('DROP SCHEMA x;\n-- PostgreSQL database dump complete\n'))).toMatchObject([
      'failed',
      expect.stringContaining('start'),
    ])
    expect(await verdictOf('database', () => gzipSync(''))).toMatchObject(['failed', expect.any(String)])
    expect(await verdictOf('files', () => gzipSync('not an archive'.repeat(100)))).toMatchObject(['failed', expect.any(String)])
  })

  it('an archive that was cut at a block, or inside one', async () => {
    for (const cut of [1, 511, 512, 1024, 9000, 10_240, 200_000]) {
      const [verdict] = await verdictOf(
        'files',
        inside((content) => content.subarray(0, Math.min(content.length - cut, 1_300_000))),
      )
      expect(verdict, `${cut}`).toBe('failed')
    }
    const end = (content: Buffer) => {
      let at = content.length
      while (content[at - 1] === 0) at -= 1
      return at
    }
    const roundUp = (size: number) => Math.ceil(size / 512) * 512
    expect(
      await verdictOf(
        'files',
        inside((content) => content.subarray(0, roundUp(end(content)))),
      ),
    ).toMatchObject(['failed', 'the archive is cut: its end mark is missing'])
    expect(
      await verdictOf(
        'files',
        inside((content) => content.subarray(0, roundUp(end(content)) + 512)),
      ),
    ).toMatchObject(['failed', 'the archive is cut: its end mark is missing'])
    expect(
      await verdictOf(
        'files',
        inside((content) => content.subarray(0, roundUp(end(content)) + 1024)),
      ),
    ).toMatchObject(['verified', expect.any(String)])
    expect(
      await verdictOf(
        'files',
        inside((content) => Buffer.concat([content, Buffer.from('x')])),
      ),
    ).toMatchObject(['failed', expect.any(String)])
  })

  it('stops when it is cancelled', async () => {
    const folder = fixture('backups', '1-plain-full')
    const [entry] = (await entriesOf(folder)).values()
    const abort = new AbortController()
    const verifying = verifyBackup({
      repository: openFolderRepository({ folder, owner: 'server' }),
      entry: entry!,
      level: 2,
      passwords: [],
      workers,
      signal: abort.signal,
      onProgress: () => abort.abort(),
    })
    await expect(verifying).rejects.toMatchObject({ name: 'AbortError' })
  })
})
