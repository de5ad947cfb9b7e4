import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { readScript } from '#engine/features/restore/script/script-reader.ts'
import { codeOf } from '#test/support/repository-contract.ts'

const HEAD = '--\n-- PostgreSQL database dump\n--\n\n'
const TAIL = '\n--\n-- PostgreSQL database dump complete\n--\n\n'

interface Seen {
  text: string
  line: number
  rows?: string
  count?: number
}

async function read(chunks: Buffer[], maxStatement?: number): Promise<Seen[]> {
  async function* source() {
    yield* chunks
  }
  const seen: Seen[] = []
  for await (const item of readScript(source(), maxStatement === undefined ? {} : { maxStatement })) {
    if (item.kind === 'statement') seen.push({ text: item.text, line: item.line })
    else {
      const rows: Buffer[] = []
      for await (const chunk of item.rows) rows.push(Buffer.from(chunk))
      seen.push({ text: item.text, line: item.line, rows: Buffer.concat(rows).toString('latin1'), count: item.rowCount() })
    }
  }
  return seen
}

const readText = (text: string, maxStatement?: number) => read([Buffer.from(text)], maxStatement)

/** Cuts bytes at these places. */
function cut(bytes: Buffer, places: number[]): Buffer[] {
  const sorted = [...new Set([0, ...places.map((place) => place % (bytes.length + 1)), bytes.length])].sort((a, b) => a - b)
  return sorted.slice(1).map((end, at) => bytes.subarray(sorted[at] ?? 0, end))
}

const TRICKY = `${HEAD}\\restrict abcDEF123

SET client_encoding = 'UTF8';
CREATE TABLE s."a;b""c" (x text DEFAULT 'it''s; \\', y text DEFAULT E'\\'; -- \\\\', z int); -- trailing; comment
/* a /* nested; */ comment; */ CREATE FUNCTION s.f() RETURNS text LANGUAGE plpgsql AS $body$ begin return '$$;'; /* $bod$ $body */ end; $body$;
CREATE FUNCTION s.g() RETURNS void LANGUAGE sql BEGIN ATOMIC SELECT CASE WHEN 1 = 2/*;*/ THEN 1 END; INSERT INTO s.t VALUES ($1, ';'); END;
SELECT 1 - -1 / 2, $$;$$, $_$;$$;$_$, foo$$bar;
COPY s.t (a, "from") FROM stdin;
1\t\\\\.
\\.x
.
\\N\tżółć 🔐
\\..
\\.

COPY s.empty (a) FROM stdin;
\\.


CREATE RULE r AS (SELECT 1; SELECT 2);
SELECT 'end';
${TAIL}\\unrestrict abcDEF123

`

describe('the reader of dumps', () => {
  it('finds statements and rows', async () => {
    const seen = await readText(TRICKY)
    expect(seen.map(({ text }) => text.slice(0, 22))).toEqual([
      'SET client_encoding = ',
      'CREATE TABLE s."a;b""c',
      'CREATE FUNCTION s.f() ',
      'CREATE FUNCTION s.g() ',
      'SELECT 1 - -1 / 2, $$;',
      'COPY s.t (a, "from") F',
      'COPY s.empty (a) FROM ',
      'CREATE RULE r AS (SELE',
      "SELECT 'end'",
    ])
    expect(seen.map(({ line }) => line)).toEqual([7, 8, 9, 10, 11, 12, 20, 24, 25])
    expect(seen[5]?.rows).toBe(Buffer.from('1\t\\\\.\n\\.x\n.\n\\N\tżółć 🔐\n\\..\n').toString('latin1'))
    expect(seen[5]?.count).toBe(5)
    expect(seen[6]).toMatchObject({ rows: '', count: 0 })
    expect(seen[3]?.text).toMatch(/END$/)
  })

  it('reads the same wherever the chunks end', async () => {
    const bytes = Buffer.from(TRICKY)
    const whole = await read([bytes])
    expect(await read([...bytes].map((byte) => Buffer.from([byte])))).toEqual(whole)
    await fc.assert(
      fc.asyncProperty(fc.array(fc.nat(bytes.length), { maxLength: 12 }), async (places) => {
        expect(await read(cut(bytes, places))).toEqual(whole)
      }),
      { numRuns: 300 },
    )
  })

  it('reads any rows as they are, wherever the chunks end', async () => {
    const piece = fc.constantFrom('\\', '.', '\n', '\r', '\\.', 'a', '\t', '\\.\r', '\\\\.', 'é')
    await fc.assert(
      fc.asyncProperty(fc.array(piece, { maxLength: 30 }), fc.array(fc.nat(400), { maxLength: 8 }), async (pieces, places) => {
        const lines = pieces
          .join('')
          .split('\n')
          .filter((line) => !/^\\\.\r?$/.test(line))
        const rows = lines.map((line) => `${line}\n`).join('')
        const script = Buffer.from(`${HEAD}COPY s.t (a) FROM stdin;\n${rows}\\.\nSELECT 1;\n${TAIL}`)
        const seen = await read(cut(script, places))
        expect(seen).toHaveLength(2)
        expect(seen[0]).toMatchObject({ rows: Buffer.from(rows).toString('latin1'), count: lines.length })
        expect(seen[1]?.text).toBe('SELECT 1')
      }),
      { numRuns: 500 },
    )
  })

  it('accepts no proper part of a dump', async () => {
    const bytes = Buffer.from(TRICKY)
    // all that follows the last line for psql is an empty line
    const last = TRICKY.lastIndexOf('\\unrestrict')
    for (let end = 0; end < Buffer.byteLength(TRICKY.slice(0, last)) + 10; end += 1) {
      expect(await codeOf(read([bytes.subarray(0, end)])), `cut at ${end}`).toMatch(/^(dump-cut|script-backslash)$/)
    }
  })

  it('reads line ends of Windows', async () => {
    const seen = await readText(`${HEAD}COPY s.t FROM stdin;\r\n1\r\n\\.\r\nSELECT 1;\r\n${TAIL}`)
    expect(seen.map(({ rows, text }) => rows ?? text)).toEqual(['1\r\n', 'SELECT 1'])
  })

  it.each([
    ['a command for psql', '\\! touch /tmp/x\n', 'script-backslash'],
    ['\\connect', '\\connect other\n', 'script-backslash'],
    ['\\copy', '\\copy s.t from program id\n', 'script-backslash'],
    ['a command in a statement', 'SELECT 1 \\gexec\n', 'script-backslash'],
    ['a command after a statement', 'SELECT 1; \\! id\n', 'script-backslash'],
    ['a command before a comment', ' \\! id -- x\n', 'script-backslash'],
    ['another key', '\\restrict abc\nSELECT 1;\n\\unrestrict abd\n', 'script-backslash'],
    ['a second key', '\\restrict abc\n\\restrict abd\n', 'script-backslash'],
    ['a key that is a command', '\\restrict abc`id`\n', 'script-backslash'],
    ['a very long line for psql', `\\restrict ${'a'.repeat(5000)}\n`, 'script-backslash'],
    ['NUL', 'SELECT 1;\0\n', 'script-nul'],
    ['NUL in rows', 'COPY s.t FROM stdin;\na\0b\n\\.\n', 'script-nul'],
    ['bytes that are no UTF-8', Buffer.from([0x53, 0xff, 0xfe, 0x3b, 0x0a]).toString('latin1'), 'script-encoding'],
    ['a string that goes on with other rules', "SELECT E'a'\n'b\\'; COMMIT; --';\n", 'script-token'],
    ['a number that runs into a string', "SELECT 1E'\\'; COMMIT; --';\n", 'script-token'],
    ['a word that runs into a string', "SELECT fooE'x';\n", 'script-token'],
    ['something after COPY', 'COPY s.t FROM stdin; SELECT 1;\n\\.\n', 'script-token'],
    ['a dollar alone', 'SELECT $;\n', 'script-token'],
  ])('refuses %s', async (_name, text, code) => {
    const bytes = Buffer.concat([
      Buffer.from(HEAD),
      Buffer.from(text, code === 'script-encoding' ? 'latin1' : 'utf8'),
      Buffer.from(TAIL),
    ])
    expect(await codeOf(read([bytes]))).toBe(code)
    expect(await codeOf(read([...bytes].map((byte) => Buffer.from([byte]))))).toBe(code)
  })

  it('wants the completion line once, and last', async () => {
    expect(await codeOf(readText(`${HEAD}SELECT 1;\n`))).toBe('dump-cut')
    expect(await codeOf(readText(`${HEAD}SELECT 1;\n/*${TAIL}*/`))).toBe('dump-cut')
    expect(await codeOf(readText(`${HEAD}SELECT 1;\nSELECT '${TAIL}';`))).toBe('dump-cut')
    expect(await codeOf(readText(`${HEAD}SELECT 1;${TAIL}SELECT 2;\n`))).toBe('script-after-end')
    expect(await codeOf(readText(`${HEAD}SELECT 1;${TAIL}SELECT 2;${TAIL}`))).toBe('script-after-end')
    expect(await codeOf(readText(`${HEAD}SELECT 1;${TAIL}SELECT 2`))).toBe('dump-cut')
    expect(await codeOf(readText(`${HEAD}SELECT 1;${TAIL}/* open`))).toBe('dump-cut')
    expect(await codeOf(readText(`${HEAD}SELECT 1; -- PostgreSQL database dump complete\n`))).toBe('dump-cut')
    expect(await codeOf(readText(`${HEAD}\\restrict abc\nSELECT 1;\n${TAIL}`))).toBe('dump-cut')
    expect(await codeOf(readText(`${HEAD}SELECT 1;${TAIL}${TAIL}-- more\n/* and more */\n`))).toBe('no error')
  })

  it('bounds the size of a statement', async () => {
    const statement = (bytes: number) => `SELECT '${'x'.repeat(bytes - 9)}'`
    expect(await codeOf(readText(`${HEAD}${statement(1000)};\n${TAIL}`, 1000))).toBe('no error')
    expect(await codeOf(readText(`${HEAD}${statement(1001)};\n${TAIL}`, 1000))).toBe('statement-too-big')
    const endless = async function* () {
      yield Buffer.from("SELECT '")
      for (;;) yield Buffer.alloc(1024 * 1024, '1,')
    }
    const reading = (async () => {
      for await (const _ of readScript(endless()));
    })()
    expect(await codeOf(reading)).toBe('statement-too-big')
  })

  it('reads rows fast and blocks nobody', async () => {
    const row = `${'0123456789abcdef\\\\x'.repeat(6)}\n`
    const chunk = Buffer.from(row.repeat(Math.ceil((4 * 1024 * 1024) / row.length)))
    async function* source() {
      yield Buffer.from('COPY s.t FROM stdin;\n')
      for (let at = 0; at < 64; at += 1) yield chunk
      yield Buffer.from(`\\.\n${TAIL}`)
    }
    // time of the processor, not of the clock: other programs run beside the tests
    const used = () => process.cpuUsage().user + process.cpuUsage().system
    let longest = 0
    let last = used()
    const timer = setInterval(() => {
      longest = Math.max(longest, (used() - last) / 1000)
      last = used()
    }, 1)
    const start = used()
    let bytes = 0
    for await (const item of readScript(source())) {
      if (item.kind === 'copy') for await (const rows of item.rows) bytes += rows.length
    }
    const seconds = (used() - start) / 1e6
    clearInterval(timer)
    expect(bytes).toBe(64 * chunk.length)
    expect(bytes / seconds).toBeGreaterThan(100e6)
    expect(longest).toBeLessThan(50)
  })
})
