import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { checkStatement } from '#engine/features/restore/allow-list/index.ts'
import { readScript } from '#engine/features/restore/script/script-reader.ts'
import { tokenize } from '#engine/features/restore/script/sql-tokens.ts'
import { AppError } from '#shared/errors.ts'

const END = '\n--\n-- PostgreSQL database dump complete\n--\n\n'

interface Item {
  text: string
  rows: string | null
}

/** Reads chunks; resolves with the items, or with the error that ended it. */
async function read(chunks: Iterable<Buffer>): Promise<{ items: Item[]; error: AppError | null }> {
  async function* source() {
    yield* chunks
  }
  const items: Item[] = []
  try {
    for await (const item of readScript(source())) {
      if (item.kind === 'statement') items.push({ text: item.text, rows: null })
      else {
        const rows: Buffer[] = []
        for await (const chunk of item.rows) rows.push(Buffer.from(chunk))
        items.push({ text: item.text, rows: Buffer.concat(rows).toString('latin1') })
      }
    }
    return { items, error: null }
  } catch (error) {
    if (!(error instanceof AppError)) throw error
    return { items, error }
  }
}

/** Cuts bytes at these places. */
function cut(bytes: Buffer, places: number[]): Buffer[] {
  const sorted = [...new Set([0, ...places.map((place) => place % (bytes.length + 1)), bytes.length])].sort((a, b) => a - b)
  return sorted.slice(1).map((end, at) => bytes.subarray(sorted[at] ?? 0, end))
}

const places = fc.array(fc.nat(100_000), { maxLength: 10 })

/** Bits that look like the beginning or end of something else. */
const nasty = fc.constantFrom(
  ...[
    "'",
    '"',
    ';',
    '--',
    '/*',
    '*/',
    '$$',
    '$a$',
    '$',
    '\\',
    '\\.',
    '\n',
    '\r',
    ' ',
    'COMMIT',
    'begin',
    'end',
    'é',
    '🔐',
    '(',
    ')',
    'E',
    'U&',
    ':x',
    '{',
    '1',
  ],
)
const nastyText = fc.array(nasty, { maxLength: 12 }).map((parts) => parts.join(''))

const string = nastyText.map((text) => `'${text.replaceAll("'", "''")}'`)
const escaped = nastyText.map((text) => `E'${text.replaceAll('\\', '\\\\').replaceAll("'", "''")}'`)
const backslashed = nastyText.map((text) => `E'${text.replaceAll('\\', '\\\\').replaceAll("'", "\\'")}'`)
const name = nastyText.map((text) => `"${text.replaceAll('"', '""') || 'x'}"`)
const body = fc.tuple(fc.constantFrom('', 'a', '_', 'body1', 'é'), nastyText).map(([tag, text]) => {
  const quote = `$${tag}$`
  // the text must not close it, and with the first signs of its end neither
  const inside = `${text}${quote}`.indexOf(quote) === text.length ? text : text.replaceAll('$', '%')
  return `${quote}${inside}${quote}`
})
const comment = nastyText.map((text) => `/* ${text.replaceAll('/', '|').replaceAll('*', '+')} /* in it; */ and; after it */`)
const lineComment = nastyText.map((text) => `-- ${text.replace(/[\n\r]/g, ' ')}\n`)
const plain = fc.constantFrom(
  'select',
  'a',
  '1',
  '2.5e+10',
  '+',
  '(',
  '::text',
  ',',
  '.',
  '$1',
  'foo$bar',
  '-',
  '/',
  '*',
  '<=',
  '[1:2]',
  '\n',
  '\t',
)

/** A statement with balanced parentheses, its pieces apart. */
const statement = fc
  .array(fc.oneof(string, escaped, backslashed, name, body, comment, lineComment, plain), { minLength: 1, maxLength: 8 })
  .map((pieces) => {
    const opened = pieces.filter((piece) => piece === '(').length
    return { kind: 'statement' as const, text: `SELECT ${pieces.join(' , ')}${' )'.repeat(opened)}` }
  })

/** Rows with any bytes but NUL, of which no line is the end of rows. */
const copy = fc
  .array(
    fc.oneof(
      fc.uint8Array({ min: 1, max: 255, maxLength: 20 }).map((bytes) => Buffer.from(bytes).toString('latin1')),
      nastyText,
    ),
    {
      maxLength: 8,
    },
  )
  .map((lines) => {
    const rows = lines
      .flatMap((line) => Buffer.from(line, 'latin1').toString('latin1').split('\n'))
      .filter((line) => !/^\\\.\r?$/.test(line))
      .map((line) => `${line}\n`)
      .join('')
    return { kind: 'copy' as const, rows }
  })

const between = fc.constantFrom('\n', '\n\n', ' ', '\n-- Name: x; Type: TABLE\n', '\n/* ; */\n', '\r\n')

describe('the reader of dumps, whatever is in them', () => {
  it('finds the same statements and rows wherever the chunks end', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(fc.oneof(statement, copy), between), { maxLength: 8 }), places, async (parts, cuts) => {
        const bytes: Buffer[] = []
        const wanted: Item[] = []
        for (const [part, gap] of parts) {
          if (part.kind === 'statement') {
            bytes.push(Buffer.from(`${part.text};${gap}`))
            wanted.push({ text: part.text, rows: null })
          } else {
            bytes.push(Buffer.from('COPY s.t FROM stdin;\n'), Buffer.from(part.rows, 'latin1'), Buffer.from(`\\.\n${gap}`))
            wanted.push({ text: 'COPY s.t FROM stdin', rows: Buffer.from(part.rows, 'latin1').toString('latin1') })
          }
        }
        const script = Buffer.concat([...bytes, Buffer.from(END)])
        const whole = await read([script])
        expect(whole.error).toBeNull()
        expect(whole.items).toEqual(wanted)
        expect(await read(cut(script, cuts))).toEqual(whole)
        expect(await read([...script].map((byte) => Buffer.from([byte])))).toEqual(whole)
      }),
      { numRuns: 400 },
    )
  })

  it('splits statements into tokens that stand where they say', async () => {
    await fc.assert(
      fc.property(statement, ({ text }) => {
        let at = 0
        for (const { start, end, kind, value } of tokenize(text)) {
          expect(start).toBeGreaterThanOrEqual(at)
          expect(end).toBeGreaterThan(start)
          if (kind === 'word') expect(text.slice(start, end).toLowerCase()).toBe(value.toLowerCase())
          if (kind === 'symbol') expect(text.slice(start, end)).toBe(value)
          at = end
        }
      }),
      { numRuns: 1000 },
    )
  })

  it('ends garbage with an error, and never takes it for a whole dump', async () => {
    const garbage = fc.oneof(
      fc.uint8Array({ maxLength: 400 }).map((bytes) => Buffer.from(bytes)),
      nastyText.map((text) => Buffer.from(text)),
      fc
        .array(
          fc.oneof(
            nasty,
            fc.constantFrom('COPY s.t FROM stdin;\n', END.slice(0, -3), '-- PostgreSQL database dump', '\\restrict a\n'),
          ),
        )
        .map((parts) => Buffer.from(parts.join(''))),
    )
    await fc.assert(
      fc.asyncProperty(garbage, places, async (bytes, cuts) => {
        const { error, items } = await read(cut(bytes, cuts))
        const isComplete = /^-- PostgreSQL database dump complete\r?$/m.test(bytes.toString('latin1'))
        if (!isComplete) expect(error).not.toBeNull()
        for (const { text } of items) {
          // whatever comes out of it can be looked at
          await checkStatement(text, 'site', { line: 1, offset: 0 }).catch((problem: unknown) => {
            expect(problem).toBeInstanceOf(AppError)
          })
        }
      }),
      { numRuns: 2000 },
    )
  })

  it('accepts no dump that was cut, nor one with a piece taken out of its end', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.oneof(statement, copy), { minLength: 1, maxLength: 5 }),
        fc.nat(100_000),
        async (parts, at) => {
          const texts = parts.map((part) =>
            part.kind === 'statement' ? `${part.text};\n` : `COPY s.t FROM stdin;\n${part.rows}\\.\n`,
          )
          const script = Buffer.from(`${texts.join('\n')}${END}`)
          const whole = script.subarray(0, script.lastIndexOf('complete') + 'complete'.length)
          const { error } = await read([script.subarray(0, at % whole.length)])
          expect(error?.code).toMatch(/^(dump-cut|script-.*)$/)
        },
      ),
      { numRuns: 500 },
    )
  })
})
