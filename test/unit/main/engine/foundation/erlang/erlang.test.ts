import { readFileSync } from 'node:fs'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { decodeDatabaseTerm, decodeTerm } from '#engine/foundation/erlang/decode.ts'
import { encodeDatabaseTerm, encodeTerm } from '#engine/foundation/erlang/encode.ts'
import {
  Atom,
  atom,
  datetime,
  Float,
  Opaque,
  type Term,
  Tuple,
  termMap,
  translated,
  tuple,
} from '#engine/foundation/erlang/terms.ts'
import { fixture, hasFixtures } from '#test/support/fixtures.ts'

/** The typed JSON of the fixtures. */
function typedJson(term: Term): unknown {
  if (term instanceof Atom) return { $atom: term.name }
  if (typeof term === 'bigint') return { $int: String(term) }
  if (term instanceof Float) return { $float: term.value }
  if (term instanceof Uint8Array) return { $bytes: Buffer.from(term).toString('base64') }
  if (term instanceof Tuple) return { $tuple: term.items.map(typedJson) }
  if (Array.isArray(term)) return term.map(typedJson)
  if (term instanceof Opaque) return { $tuple: [{ $atom: 'unsupported' }, term.kind] }
  if (!(term instanceof Map)) return term
  const entries = [...term]
  if (entries.every(([key]) => typeof key === 'string')) return Object.fromEntries(entries.map(([k, v]) => [k, typedJson(v)]))
  return { $map: entries.map(([k, v]) => [typedJson(k), typedJson(v)]) }
}

/** Floats are written in several ways ("2.5", "2.50000e+00"), integers above 2^53 as text: compared by value. */
function sameNumbers(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sameNumbers)
  if (value === null || typeof value !== 'object') return value
  const { $float, $int, $map } = value as Record<string, unknown>
  if ($float !== undefined) return { $float: Number($float) }
  if ($int !== undefined && Number.isSafeInteger(Number($int))) return Number($int)
  if ($map !== undefined) {
    return { $map: ($map as unknown[]).map(sameNumbers).sort((a, b) => (JSON.stringify(a) < JSON.stringify(b) ? -1 : 1)) }
  }
  return Object.fromEntries(Object.entries(value).map(([key, item]) => [key, sameNumbers(item)]))
}

describe.runIf(hasFixtures)('terms that Erlang wrote', () => {
  const rows = readFileSync(fixture('etf', 'INDEX.tsv'), 'utf8')
    .split('\n')
    .slice(1)
    .filter(Boolean)
    .map((line) => line.split('\t') as [string, string])
    .filter(([file, json]) => file.endsWith('.etf') && !file.startsWith('bad-') && json.endsWith('.json'))

  test('there are many', () => expect(rows.length).toBeGreaterThan(50))

  test.each(rows)('%s', (file, json) => {
    const bytes = readFileSync(fixture('etf', file))
    const term = decodeTerm(bytes)
    if (!file.startsWith('unsupported_')) {
      const expected: unknown = JSON.parse(readFileSync(fixture('etf', json), 'utf8'))
      expect(sameNumbers(typedJson(term))).toEqual(sameNumbers(expected))
    }
    expect(decodeTerm(encodeTerm(term))).toEqual(term)
    expect(decodeTerm(encodeTerm(term, { compressed: true }))).toEqual(term)
    // OTP 26 writes the same bytes that we write
    if (file.endsWith('-minor2.etf')) expect(encodeTerm(term)).toEqual(bytes)
  })

  test.each(['props_map', 'medium_map'])('%s as a database column', (name) => {
    const bytes = readFileSync(fixture('etf', `${name}-dbterm.bin`))
    const term = decodeDatabaseTerm(bytes)
    expect(term).toEqual(decodeTerm(readFileSync(fixture('etf', `${name}.etf`))))
    expect(decodeDatabaseTerm(encodeDatabaseTerm(term))).toEqual(term)
  })

  test.each(['bad-truncated.etf', 'bad-version.etf'])('%s is refused', (file) => {
    expect(() => decodeTerm(readFileSync(fixture('etf', file)))).toThrow(/can’t be read/)
  })

  test('a term cut anywhere is refused', () => {
    const bytes = readFileSync(fixture('etf', 'medium_map.etf'))
    for (let size = 0; size < bytes.length; size++) expect(() => decodeTerm(bytes.subarray(0, size))).toThrow(/can’t be read/)
  })
})

if (!hasFixtures) console.warn('NOT TESTED: the terms that Erlang wrote; the fixtures of a real server are not here')

describe('bounds', () => {
  test('nesting', () => {
    const deep = Buffer.concat([Uint8Array.of(131), Buffer.alloc(100_000, Uint8Array.of(104, 1)), Uint8Array.of(106)])
    expect(() => decodeTerm(deep)).toThrow(/nested too deeply/)
  })

  test('a count that the bytes cannot hold makes no list', () => {
    expect(() => decodeTerm(Uint8Array.of(131, 108, 0xff, 0xff, 0xff, 0xff, 106))).toThrow(/ends too early/)
    expect(() => decodeTerm(Uint8Array.of(131, 109, 0xff, 0xff, 0xff, 0xff))).toThrow(/ends too early/)
  })

  test('a compressed term that says too little or too much', () => {
    const packed = encodeTerm(new Array(1000).fill('the same'), { compressed: true })
    expect(packed[1]).toBe(80)
    for (const lie of [10, 1_000_000, 0xffffffff]) {
      const changed = Buffer.from(packed)
      changed.writeUInt32BE(lie, 2)
      expect(() => decodeTerm(changed)).toThrow(/can’t be read/)
    }
  })
})

test('what Zotonic writes: properties with translations, dates and undefined', () => {
  const props = termMap({
    title: translated({ en: 'Harbour', nl: 'Haven' }),
    date_start: datetime(new Date('2026-02-28T23:59:58.900Z')),
    page_path: atom('undefined'),
    is_x: true,
    tags: [tuple('a', 1), new Float(2)],
    pixel: Uint8Array.of(0xff, 0xd8),
  })
  expect(decodeDatabaseTerm(encodeDatabaseTerm(props))).toEqual(props)
  expect(typedJson(props)).toMatchObject({ date_start: { $tuple: [{ $tuple: [2026, 2, 28] }, { $tuple: [23, 59, 58] }] } })
})

test('any term comes back as it was', () => {
  const { term } = fc.letrec<{ term: Term }>((tie) => ({
    term: fc.oneof(
      { maxDepth: 4 },
      fc.string({ unit: 'binary' }),
      fc.maxSafeInteger(),
      fc.bigInt().map((big) => (big >= -(2n ** 53n) && big <= 2n ** 53n ? 2n ** 70n + big : big)),
      fc.double({ noNaN: true, noDefaultInfinity: true }).map((value) => new Float(value)),
      fc.boolean(),
      fc.constantFrom('undefined', 'en', 'żółć').map(atom),
      fc.array(tie('term'), { maxLength: 6 }),
      fc.array(tie('term'), { maxLength: 6 }).map((items) => new Tuple(items)),
      fc.array(fc.tuple(fc.string(), tie('term')), { maxLength: 6 }).map((entries) => new Map<Term, Term>(entries)),
    ),
  }))
  fc.assert(
    fc.property(term, fc.boolean(), (value, compressed) => {
      expect(decodeTerm(encodeTerm(value, { compressed }))).toEqual(value)
    }),
    { numRuns: 300 },
  )
})
