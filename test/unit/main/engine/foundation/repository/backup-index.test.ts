import { readFile } from 'node:fs/promises'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { compareForListing, parseIndex, partFiles, serializeIndex } from '#engine/foundation/repository/backup-index.ts'
import type { IndexEntry } from '#engine/foundation/repository/types.ts'
import { AppError } from '#shared/errors.ts'
import { fixture, hasFixtures } from '#test/support/fixtures.ts'

if (!hasFixtures) console.error('SKIPPED in backup-index.test.ts: the fixtures of a real server are missing')

const parse = (text: string) => parseIndex(text, '/vault/backup.json')
const round = (text: string) => serializeIndex(parse(text))

describe('parseIndex and serializeIndex', () => {
  it.runIf(hasFixtures).each(['1-plain-full', '2-encrypted-full-autopw', '3-slots-mixed'])(
    'give a server’s index back byte for byte: %s',
    async (folder) => {
      const text = await readFile(fixture('backups', folder, 'backup.json'), 'utf8')
      expect(round(text)).toBe(text)
      expect(parse(text).problems).toEqual([])
    },
  )

  it('keep what they do not know: keys, their order, numbers beyond 2^53, unusable entries', () => {
    const text =
      '{"z-1":{"new":{"b":1,"a":[9007199254740993]},"timestamp":5,"files":null},"odd":7,"a-1":{"timestamp":"5"},"n":null,"l":[1]}'
    expect(round(text)).toBe(text)
    const document = parse(text)
    expect([...document.entries.keys()]).toEqual(['z-1'])
    expect(document.problems.map(({ name, code }) => [name, code])).toEqual([
      ['odd', 'index-entry-unreadable'],
      ['a-1', 'index-entry-unreadable'],
      ['n', 'index-entry-unreadable'],
      ['l', 'index-entry-unreadable'],
    ])
    document.entries.set('b-1', { timestamp: 6 })
    const entry = document.entries.get('z-1')
    if (entry) entry.timestamp = 8
    expect(serializeIndex(document)).toBe(
      '{"z-1":{"new":{"b":1,"a":[9007199254740992]},"timestamp":8,"files":null},"odd":7,"a-1":{"timestamp":"5"},"n":null,"l":[1],"b-1":{"timestamp":6}}',
    )
  })

  it('drop an entry that was removed, and replace an unusable one', () => {
    const document = parse('{ "a-1" : {"timestamp":1} , "a-2":{"timestamp":2}, "a-3": "?" }')
    document.entries.delete('a-1')
    document.entries.set('a-3', { timestamp: 3 })
    expect(serializeIndex(document)).toBe('{"a-2":{"timestamp":2},"a-3":{"timestamp":3}}')
  })

  it.each([
    ['nothing', ''],
    ['white space', ' \n'],
    ['cut', '{"a-1":{"timestamp":1},"a-'],
    ['an array', '[]'],
    ['null', 'null'],
    ['a text', '"{}"'],
    ['two objects', '{}{}'],
    ['not JSON', 'backup'],
    ['too large', `{"a":"${'x'.repeat(17 * 1024 * 1024)}"}`],
    ['too many entries', `{${Array.from({ length: 100_001 }, (_, at) => `"a${at}":1`).join(',')}}`],
  ])('refuse a corrupt index with a way out: %s', (_what, text) => {
    try {
      parse(text)
      expect.unreachable()
    } catch (error) {
      expect(error).toBeInstanceOf(AppError)
      expect(error).toMatchObject({ code: 'index-corrupt' })
      expect((error as AppError).message).toContain('/vault/backup.json')
      expect((error as AppError).message).toContain('intact')
      expect((error as AppError).hint).toContain('rename it')
    }
  })

  const hostile: [string, string, { usable: string[]; problems: string[] }][] = [
    ['a path up', '{"a-1":{"timestamp":1,"database":"../../etc/passwd"}}', { usable: ['a-1'], problems: ['index-entry-unsafe'] }],
    ['an absolute path', '{"a-1":{"timestamp":1,"files":"/etc/shadow"}}', { usable: ['a-1'], problems: ['index-entry-unsafe'] }],
    ['a backslash', '{"a-1":{"timestamp":1,"files":"a-1.\\\\..\\\\x"}}', { usable: ['a-1'], problems: ['index-entry-unsafe'] }],
    ['a NUL', '{"a-1":{"timestamp":1,"files":"a-1.tar.gz\\u0000"}}', { usable: ['a-1'], problems: ['index-entry-unsafe'] }],
    ['another’s file', '{"a-1":{"timestamp":1,"files":"a-2.tar.gz"}}', { usable: ['a-1'], problems: ['index-entry-unsafe'] }],
    [
      'the index itself',
      '{"backup":{"timestamp":1,"files":"backup.json"}}',
      { usable: ['backup'], problems: ['index-entry-unsafe'] },
    ],
    ['a number as name', '{"a-1":{"timestamp":1,"files":7}}', { usable: ['a-1'], problems: ['index-entry-unsafe'] }],
    [
      'a NAME that is a path',
      '{"../a":{"timestamp":1,"files":"../a.tar.gz"}}',
      { usable: ['../a'], problems: ['index-entry-unsafe'] },
    ],
    ['a timestamp beyond all years', '{"a-1":{"timestamp":1e15}}', { usable: [], problems: ['index-entry-unreadable'] }],
    [
      'a broken timestamp',
      '{"a-1":{"timestamp":-1},"a-2":{"timestamp":1.5}}',
      { usable: [], problems: ['index-entry-unreadable', 'index-entry-unreadable'] },
    ],
    ['duplicate keys: the last', '{"a-1":{"timestamp":1},"a-1":{"timestamp":2}}', { usable: ['a-1'], problems: [] }],
    [
      '__proto__',
      '{"__proto__":{"timestamp":1},"constructor":{"timestamp":2}}',
      { usable: ['__proto__', 'constructor'], problems: [] },
    ],
    [
      'very deep',
      `{"a-1":{"timestamp":1,"x":${'['.repeat(200_000)}${']'.repeat(200_000)}}}`,
      { usable: [], problems: ['index-entry-unreadable'] },
    ],
  ]
  it.each(hostile)('read a hostile index without harm: %s', (_what, text, expected) => {
    const document = parse(text)
    expect([...document.entries.keys()]).toEqual(expected.usable)
    expect(document.problems.map(({ code }) => code)).toEqual(expected.problems)
    expect([...document.entries].flatMap(([name, entry]) => partFiles(name, entry))).toEqual([])
    expect(parse(serializeIndex(document)).entries).toEqual(document.entries)
  })
})

describe('compareForListing', () => {
  it('puts the newest first, and orders ties as the server does', () => {
    const entries: [string, IndexEntry][] = [
      ['a', { timestamp: 5 }],
      ['b', { timestamp: 5 }],
      ['uploaded', { timestamp: 5, is_filestore_uploaded: true }],
      ['files', { timestamp: 5, files: '' }],
      ['encrypted', { timestamp: 5, is_encrypted: true }],
      ['database', { timestamp: 5, database: 'x' }],
      ['config', { timestamp: 5, config_files: 'x' }],
      ['new', { timestamp: 6 }],
      ['old', { timestamp: 4, config_files: 'x', database: 'x' }],
    ]
    expect(entries.sort(compareForListing).map(([name]) => name)).toEqual([
      'new',
      'config',
      'database',
      'encrypted',
      'files',
      'uploaded',
      'b',
      'a',
      'old',
    ])
  })
})

describe('an index of any server', () => {
  const file = fc.option(fc.constantFrom('a.sql.gz', 'a.tar.gz.enc', '../up', '', 7 as unknown as string), { nil: null })
  /** Entries with whatever a later server may add, and things that are no entries. */
  const entry = fc.oneof(
    {
      weight: 5,
      arbitrary: fc.tuple(
        fc.record({ timestamp: fc.nat(), database: file, files: file }),
        fc.dictionary(fc.string(), fc.jsonValue()),
      ),
    },
    { weight: 1, arbitrary: fc.tuple(fc.constant({}), fc.dictionary(fc.string(), fc.jsonValue())) },
  )
  const member = fc.oneof(
    { weight: 6, arbitrary: entry.map(([known, more]): unknown => ({ ...more, ...known })) },
    { weight: 1, arbitrary: fc.jsonValue() as fc.Arbitrary<unknown> },
  )
  const name = fc.oneof(fc.string(), fc.constantFrom('testsite-1', 'testsite-w0', '__proto__', '1', '"', '\\', 'a\nb'))
  const members = fc.uniqueArray(fc.tuple(name, member), { selector: ([key]) => key, maxLength: 15 })
  /** As some program may have written it: with white space or without. */
  const text = fc.tuple(members, fc.constantFrom('', ' ', '\n\t')).map(([list, space]) => ({
    list,
    text: `{${space}${list.map(([key, value]) => `${JSON.stringify(key)}${space}:${space}${JSON.stringify(value)}`).join(`${space},${space}`)}${space}}`,
  }))
  const textsOf = (list: [string, unknown][]) => list.map(([key, value]) => `${JSON.stringify(key)}:${JSON.stringify(value)}`)

  it('is written back with every entry, key and number as it was, in its order', () => {
    fc.assert(
      fc.property(text, (index) => {
        expect(round(index.text)).toBe(`{${textsOf(index.list).join(',')}}`)
      }),
    )
  })

  it('changes by one entry when one is set or removed, and all others keep their text', () => {
    fc.assert(
      fc.property(text, name, fc.nat(), fc.boolean(), (index, key, timestamp, isRemoval) => {
        const document = parse(index.text)
        const isUsable = document.entries.has(key)
        const others = index.list.filter(([other]) => other !== key)
        if (isRemoval) {
          document.entries.delete(key)
          // what could not be read is nobody's to remove
          const kept = isUsable ? others : index.list
          expect(serializeIndex(document)).toBe(`{${textsOf(kept).join(',')}}`)
          return
        }
        document.entries.set(key, { timestamp })
        const isNew = !index.list.some(([other]) => other === key)
        const changed: [string, unknown][] = index.list.map(([other, value]) => [other, other === key ? { timestamp } : value])
        const wanted = textsOf(isNew ? [...changed, [key, { timestamp }]] : changed)
        expect(serializeIndex(document)).toBe(`{${wanted.join(',')}}`)
        expect(parse(serializeIndex(document)).entries.get(key)).toEqual({ timestamp })
      }),
    )
  })
})
