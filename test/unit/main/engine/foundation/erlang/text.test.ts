import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { Atom, atom, Float, ImproperList, Opaque, type Term, Tuple, tuple } from '#engine/foundation/erlang/terms.ts'
import { readTermText } from '#engine/foundation/erlang/text.ts'

/** Writes a term as Erlang's `~p` does, with `blank` between its pieces. */
function print(term: Term, blank: string): string {
  const items = (list: readonly Term[]) => list.map((item) => print(item, blank)).join(`,${blank}`)
  if (typeof term === 'boolean' || typeof term === 'number' || typeof term === 'bigint') return String(term)
  if (term instanceof Atom) return /^[a-z][\w@]*$/.test(term.name) ? term.name : quoted(term.name, "'")
  if (term instanceof Float) return /[.]/.test(String(term.value)) ? String(term.value) : term.value.toFixed(1)
  if (typeof term === 'string') return /^[\x20-\x7e]*$/.test(term) ? `<<${quoted(term, '"')}>>` : `<<${quoted(term, '"')}/utf8>>`
  if (term instanceof Uint8Array) return `<<${[...term].join(',')}>>`
  if (term instanceof Tuple) return `{${items(term.items)}}`
  if (term instanceof ImproperList) return `[${items(term.items)}|${print(term.tail, blank)}]`
  if (term instanceof Map) {
    return `#{${[...term].map(([key, value]) => `${print(key, blank)}${blank}=>${blank}${print(value, blank)}`).join(',')}}`
  }
  if (term instanceof Opaque) return Buffer.from(term.bytes).toString()
  return `[${blank}${items(term)}${blank}]`
}

function quoted(text: string, quote: string): string {
  const inner = [...text].map((character) => {
    if (character === quote || character === '\\') return `\\${character}`
    if (character === '\n') return '\\n'
    return character < ' ' || character === '\x7f' ? `\\x{${character.charCodeAt(0).toString(16)}}` : character
  })
  return `${quote}${inner.join('')}${quote}`
}

const text = fc.string({ unit: 'binary', maxLength: 12 })
const terms = fc.letrec<{ term: Term }>((tie) => ({
  term: fc.oneof(
    { maxDepth: 5, withCrossShrink: true },
    fc.constantFrom<Term>(true, false, atom('undefined'), new Opaque('pid', Buffer.from('<0.81.0>'))),
    fc.maxSafeInteger(),
    fc.bigInt({ min: 2n ** 60n, max: 2n ** 90n }),
    fc
      .double({ noNaN: true, noDefaultInfinity: true, min: -1e15, max: 1e15 })
      .filter((n) => /^-?\d+(\.\d+)?(e-?\d+)?$/.test(String(n)) && !Object.is(n, -0))
      .map((n) => new Float(/e/.test(String(n)) ? 0.5 : n)),
    text,
    text.filter((name) => name !== 'true' && name !== 'false').map(atom),
    fc
      .uint8Array({ minLength: 1, maxLength: 6 })
      .filter((bytes) => bytes.some((byte) => byte >= 0xf8))
      .map((bytes) => new Uint8Array(bytes)),
    fc.array(tie('term'), { maxLength: 4 }),
    fc.array(tie('term'), { maxLength: 4 }).map((items) => new Tuple(items)),
    fc.array(fc.tuple(text, tie('term')), { maxLength: 4 }).map((pairs) => new Map<Term, Term>(pairs)),
    fc.array(fc.integer(), { minLength: 1, maxLength: 3 }).map((items) => new ImproperList(items, atom('tail'))),
  ),
}))

describe('an Erlang term as text', () => {
  test('is the term that was printed, however it is spaced and commented', () => {
    fc.assert(
      fc.property(terms.term, fc.constantFrom('', ' ', '\n        ', ' % a comment, "quoted\n'), (term, blank) => {
        expect(readTermText(print(term, blank))).toEqual(term)
      }),
      { numRuns: 400 },
    )
  })

  test('that is cut anywhere is refused in its own words, or is a shorter term; it never hangs or quotes', () => {
    fc.assert(
      fc.property(terms.term, fc.double({ min: 0, max: 1, noNaN: true }), (term, share) => {
        const whole = print(term, ' ')
        const cut = whole.slice(0, Math.floor(whole.length * share))
        try {
          readTermText(cut)
        } catch (error) {
          expect(error).toMatchObject({ name: 'AppError', code: 'bad-erlang-text' })
        }
      }),
      { numRuns: 300 },
    )
    expect(() => readTermText('[{password, "open sesame"')).toThrow(/^(?!.*sesame)/)
  })

  test.each<[string, Term]>([
    ['"a\\tb" "c"', 'a\tbc'],
    ['"\\x{17c}\\172\\d\\^a\\\\"', 'żz\x7f\x01\\'],
    ["'Quoted atom\\''", atom("Quoted atom'")],
    ['<<"za\\x{17c}"/utf8>>', 'zaż'],
    ['<<"\\303\\251">>', 'é'],
    ['<<255,0>>', new Uint8Array([255, 0])],
    ['<<1:4>>', new Opaque('bit string', new Uint8Array())],
    ['[1|[2,3]]', [1, 2, 3]],
    ['16#fF', 255],
    ['-2#101', -5],
    ['1_000.5e2', new Float(100_050)],
    ['$a', 97],
    ['$\\n', 10],
    ['#{}', new Map()],
    [
      '{host,"a", #Fun<erl_eval.6.13229925>}.',
      tuple(atom('host'), 'a', new Opaque('fun', Buffer.from('#Fun<erl_eval.6.13229925>'))),
    ],
  ])('%s', (written, term) => {
    expect(readTermText(written)).toEqual(term)
  })

  test.each([
    '',
    '[1,2',
    '{a,}',
    '"open',
    '<<256>>',
    '37#1',
    '2#3',
    '[|a]',
    '#{a}',
    'Variable',
    '1 2',
    '"\\x{110000}"',
    '<<"ż">>',
  ])('refuses %j', (written) => {
    expect(() => readTermText(written)).toThrow(expect.objectContaining({ code: 'bad-erlang-text' }))
  })

  test('too deep and too long are refused', () => {
    expect(() => readTermText('['.repeat(200) + ']'.repeat(200))).toThrow(/nested too deeply/)
    expect(() => readTermText('['.repeat(100_000))).toThrow(/nested too deeply/)
    expect(() => readTermText(`"${'a'.repeat(100)}"`, { maxLength: 50 })).toThrow(/too long/)
  })
})
