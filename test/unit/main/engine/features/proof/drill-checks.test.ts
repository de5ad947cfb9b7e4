import { readFile } from 'node:fs/promises'
import { gunzipSync } from 'node:zlib'
import { describe, expect, it } from 'vitest'
import { readSettings } from '#engine/features/proof/drill/checks/config-syntax.ts'
import { readErlangText } from '#engine/features/proof/drill/checks/erlang-text.ts'
import { checkNewest } from '#engine/features/proof/drill/checks/newest.ts'
import { checkRowCounts } from '#engine/features/proof/drill/checks/row-counts.ts'
import { checkTables } from '#engine/features/proof/drill/checks/tables.ts'
import { parseDumpHead, readDumpHead } from '#engine/features/proof/drill/dump-head.ts'
import { judgeLoadError, missingOutside } from '#engine/features/proof/drill/outside-needs.ts'
import { earlierOf } from '#engine/features/proof/prove.ts'
import { AppError } from '#shared/errors.ts'
import { fixture, hasFixtures } from '#test/support/fixtures.ts'
import { allowed } from '#test/support/patience.ts'

const SITE = { rsc: 126, edge: 111, medium: 8, identity: 4, config: 3, rsc_gone: 7, medium_deleted: 0, hierarchy: 9, module: 40 }
const { rsc: _rsc, ...WITHOUT_RSC } = SITE
const { hierarchy: _hierarchy, ...WITHOUT_HIERARCHY } = SITE

describe('checkTables', () => {
  it.each([
    [SITE, 'passed', 'rsc 126'],
    [WITHOUT_RSC, 'failed', 'rsc is missing'],
    [{ ...SITE, rsc: 0 }, 'failed', 'rsc is empty'],
    [WITHOUT_HIERARCHY, 'warning', 'hierarchy is missing'],
    [{ ...SITE, identity: 0 }, 'warning', 'nobody could log in'],
    [{}, 'failed', 'rsc, edge, medium and 2 more are missing'],
  ])('%j: %s', (rowCounts, outcome, text) => {
    const found = checkTables({ rowCounts })
    expect(found).toMatchObject({ outcome })
    expect(found.finding).toContain(text)
  })
})

describe('checkRowCounts', () => {
  const earlier = {
    name: 'shop-2',
    timestamp: '2026-11-22T03:00:00Z',
    rowCounts: { ...SITE, rsc: 1000, edge: 5000, log: 90_000 },
  }
  const now = (change: Record<string, number>) => checkRowCounts({ ...earlier.rowCounts, ...change }, earlier)
  it.each([
    [{}, 'passed', 'shop-2 of Sun 22 Nov 03:00'],
    [{ rsc: 1190 }, 'passed', ''],
    // few rows: whatever their share
    [{ medium: 50 }, 'passed', ''],
    [{ log: 10 }, 'passed', ''],
    [{ rsc: 1210 }, 'warning', 'rsc 1,210 (was 1,000)'],
    [{ edge: 3900 }, 'warning', 'edge 3,900 (was 5,000)'],
    [{ edge: 2499 }, 'failed', 'edge 2,499 (was 5,000)'],
    [{ edge: 2500 }, 'warning', 'edge 2,500'],
    [{ rsc: 0 }, 'failed', 'rsc 0 (was 1,000)'],
    [{ medium: 0 }, 'failed', 'medium 0 (was 8)'],
    [{ medium: 3 }, 'passed', ''],
    [{ identity: 0 }, 'failed', 'identity 0 (was 4)'],
  ])('%j: %s', (change, outcome, text) => {
    const found = now(change)
    expect(found).toMatchObject({ outcome })
    expect(found.finding).toContain(text)
  })

  it('tells of tables that are gone, and knows nothing without an earlier one', () => {
    expect(checkRowCounts(WITHOUT_HIERARCHY, { ...earlier, rowCounts: SITE })).toMatchObject({
      outcome: 'warning',
      finding: expect.stringContaining('hierarchy is gone'),
    })
    expect(checkRowCounts(SITE, null)).toMatchObject({ outcome: 'unknown' })
  })

  it('compares with the well drilled backup that is next older', () => {
    const drill = (name: string, timestamp: string, outcome: 'passed' | 'failed') => ({
      repository: 'vault' as const,
      name,
      timestamp,
      bytes: 1,
      newest: null,
      report: { outcome, rowCounts: SITE } as never,
    })
    const drills = [
      drill('newer', '2026-11-23T03:00:00Z', 'passed'),
      drill('bad', '2026-11-21T03:00:00Z', 'failed'),
      drill('oldest', '2026-11-01T03:00:00Z', 'passed'),
      drill('wanted', '2026-11-20T03:00:00Z', 'passed'),
    ]
    expect(earlierOf(drills, '2026-11-22T03:00:00Z')).toMatchObject({ name: 'wanted' })
    expect(earlierOf(drills, '2026-11-01T03:00:00Z')).toBeNull()
  })
})

describe('checkNewest', () => {
  const at = '2026-11-23T03:00:00Z'
  const before = { name: 'shop-7', newest: new Date('2026-11-22T18:00:00Z') }
  it.each([
    ['2026-11-23T02:10:00Z', null, 'passed'],
    // within an hour of slack
    ['2026-11-23T03:59:00Z', before, 'passed'],
    ['2026-11-23T04:01:00Z', before, 'warning'],
    ['2026-11-22T18:00:00Z', before, 'passed'],
    ['2026-11-22T17:59:59Z', before, 'warning'],
    ['2026-10-01T00:00:00Z', null, 'passed'],
  ])('%s after %j: %s', (newest, earlier, outcome) => {
    expect(checkNewest(new Date(newest), at, earlier).outcome).toBe(outcome)
  })
  it('needs a time at all', () => {
    expect(checkNewest(null, at, null).outcome).toBe('failed')
  })
})

describe('the head of a dump', () => {
  it.each([
    ['CREATE SCHEMA "testsite";\n', 'testsite'],
    ['CREATE SCHEMA testsite;\n', 'testsite'],
    ['CREATE SCHEMA "a ""quoted"" name";\n', 'a "quoted" name'],
    ['-- CREATE SCHEMA "not this";\nSELECT 1;\n', null],
  ])('%s', (text, schema) => {
    expect(parseDumpHead(text).schema).toBe(schema)
  })

  it('tells the versions', () => {
    const text = '-- Dumped from database version 15.18 (Debian)\n-- Dumped by pg_dump version 18beta1\n'
    expect(parseDumpHead(text)).toMatchObject({ serverMajor: 15, dumperMajor: 18 })
    expect(parseDumpHead('')).toEqual({ schema: null, serverMajor: null, dumperMajor: null })
  })

  it('gives the whole script back, however it was cut into chunks', async () => {
    const script = Buffer.from(`-- x\n${'-- filling\n'.repeat(40)}CREATE SCHEMA "späte";\nSELECT 1;\n`)
    for (const size of [1, 7, 50, 10_000]) {
      async function* chunks(): AsyncGenerator<Buffer, void, void> {
        for (let at = 0; at < script.length; at += size) yield script.subarray(at, at + size)
      }
      const { head, whole } = await readDumpHead(chunks())
      expect(head.schema).toBe('späte')
      const back: Buffer[] = []
      for await (const chunk of whole) back.push(chunk)
      expect(Buffer.concat(back)).toEqual(script)
    }
  })

  it('does not read a dump without schema to its end to find that out', async () => {
    let given = 0
    async function* endless(): AsyncGenerator<Buffer, void, void> {
      for (;;) {
        given += 65_536
        yield Buffer.alloc(65_536, '-- nothing\n')
      }
    }
    expect((await readDumpHead(endless())).head.schema).toBeNull()
    expect(given).toBeLessThan(1_000_000)
  })
})

describe('what a dump needs from outside', () => {
  it.each([
    ['type "public.geometry" does not exist', 'extension postgis is not in the built-in PostgreSQL'],
    ['function public.st_makepoint(double precision, double precision) does not exist', 'extension postgis'],
    ['operator class "public.gin_trgm_ops" does not exist for access method "gin"', 'extension pg_trgm'],
    ['type "testsite.geometry" does not exist', 'extension postgis was in the site’s schema, where a dump leaves it out'],
    ['schema "shared" does not exist', 'it needs the schema shared'],
    ['relation "other.rsc" does not exist', 'it needs the relation other.rsc'],
    ['collation "pg_catalog.sv_SE.utf8" for encoding "UTF8" does not exist', 'it needs the collation pg_catalog.sv_SE.utf8'],
    ['text search configuration "public.nl" does not exist', 'it needs the text search configuration public.nl'],
    ['compression method lz4 not supported', 'compression by lz4'],
  ])('%s', (message, text) => {
    expect(missingOutside(message, 'testsite')).toContain(text)
    expect(missingOutside(message, 'testsite')).toMatch(/: this backup can’t be drilled here$|built-in PostgreSQL/)
  })

  it.each([
    'relation "testsite.rsc" does not exist',
    'type "testsite.mood" does not exist',
    'schema "testsite" does not exist',
    // nothing that is named without its schema is found anywhere, on the live server neither
    'relation "rsc" does not exist',
    'function st_makepoint(integer) does not exist',
    'insert or update on table "edge" violates foreign key constraint "fk"',
  ])('%s is the dump’s own fault', (message) => {
    expect(missingOutside(message, 'testsite')).toBeNull()
  })

  const refused = (system: unknown, server: string) =>
    new AppError('statement-failed', `Line 7 of the dump failed: ${server}. The live database is exactly as before.`, {
      details: { line: 7, system, server },
    })

  it('tells a bad backup from one that can’t be drilled, and both from trouble here', () => {
    expect(judgeLoadError(refused('23503', 'it violates a foreign key'), 'x')).toEqual({
      outcome: 'failed',
      finding: 'Line 7 of the dump failed: it violates a foreign key',
    })
    expect(judgeLoadError(refused('42704', 'type "public.vector" does not exist'), 'x')).toMatchObject({ outcome: 'unknown' })
    expect(judgeLoadError(new AppError('dump-cut', 'The dump is cut.'), 'x')).toMatchObject({ outcome: 'failed' })
    for (const trouble of [
      refused('53100', 'could not extend file: No space left on device'),
      refused('57P01', 'terminating connection'),
      refused('ECONNRESET', 'read ECONNRESET'),
      refused(null, 'Connection terminated unexpectedly'),
      new AppError('cancelled', 'Cancelled.'),
      new AppError('changed-while-reading', 'x'),
      new AppError('password-needed', 'x'),
      new Error('anything'),
    ]) {
      expect(() => judgeLoadError(trouble, 'x')).toThrow(trouble)
    }
  })
})

describe('readErlangText', () => {
  const told = new Set(['dbschema'])
  it.each([
    '[].',
    '{a, 1}.\n{b, "two"}.\n',
    '%% a comment\n[ {hostname, "localhost:8000"}, % another\n {dbschema, "shop"} ].',
    "[{'quoted atom', $a}, {c, $\\n}, {d, $\\s}, {e, $%}, {f, $\"}].",
    '[{a, -1.5e10}, {b, 16#ff}, {c, 1_000}, {d, +2}].',
    '#{a => <<"x">>, <<"b"/utf8>> => [<<1, 2:16, $c>>, <<>>]}.',
    '[{title, "one " "two\\"quoted\\" % no comment" }].',
    '[{a, """\n  triple "quoted"\n  """}].',
    '[a | b].',
    '[{nested, [{deep, {}}]}].',
    '"text".',
  ])('reads %s', (text) => {
    expect(() => readErlangText(text, told)).not.toThrow()
  })

  it.each([
    ['', 'no term'],
    ['% only a comment', 'no term'],
    ['[{a, 1}]', 'without a full stop'],
    ['[{a, 1}.', '“.” stands where ] or a comma belongs'],
    ['[{a, 1]}.', '“]” stands where } or a comma belongs'],
    ['[{a, 1},\n {b 2}].', 'line 2: something stands where } or a comma belongs'],
    ['[{a, "no end}].', 'has no end'],
    ["[{a, 'no end}].", 'has no end'],
    ['[a, ].', 'stands where a value belongs'],
    ['[Variable].', 'stands where a value belongs'],
    ['[{a, <<1, >>}].', 'stands where a value belongs'],
    ['#{a = 1}.', 'stands where => belongs'],
    ['[].[].', 'inside of a term'],
    [`${'['.repeat(300)}${']'.repeat(300)}.`, 'too deep'],
    ['[{a, 1}', '] is missing at its end'],
  ])('refuses %s', (text, reason) => {
    expect(() => readErlangText(text, told)).toThrow(reason)
  })

  it('gives back what may be told, and never shows more', () => {
    const text = '[{dbpassword, "hunter2"}, {dbschema, "shop"}, {more, [{dbschema, <<"inner">>}]}].'
    expect([...readErlangText(text, told)]).toEqual([['dbschema', 'inner']])
    expect(() => readErlangText('[{dbpassword "hunter2"}].', told)).toThrow(/^(?!.*hunter2)/)
  })

  it('takes no longer for settings that are made to take long', () => {
    const started = performance.now()
    for (const text of [' '.repeat(200_000), '%\n'.repeat(100_000), `"${'\\"'.repeat(100_000)}`, '['.repeat(100_000)]) {
      expect(() => readErlangText(text, told)).toThrow()
    }
    expect(performance.now() - started).toBeLessThan(allowed(2000))
  })

  it.skipIf(!hasFixtures)('reads what a real server has', async () => {
    const tar = gunzipSync(await readFile(fixture('backups', '1-plain-full', 'config-testsite-1.tar.gz')))
    const size = Number.parseInt(tar.toString('latin1', 124, 135), 8)
    const text = tar.toString('utf8', 512, 512 + size)
    expect(readErlangText(text, told).get('dbschema')).toBe('testsite')
    for (let cut = 0; cut < text.trimEnd().length; cut += 37) {
      expect(() => readErlangText(text.slice(0, cut), told), `cut at ${cut}`).toThrow()
    }
  })
})

describe('readSettings', () => {
  const read = (file: string, text: string) => Object.fromEntries(readSettings(file, Buffer.from(text)))
  it('reads JSON and YAML too', () => {
    expect(read('priv/zotonic_site.json', '{"dbschema": "shop", "dbpassword": "secret"}')).toEqual({ dbschema: 'shop' })
    expect(
      read(
        'priv/zotonic_site.yaml',
        '# settings\n---\ndbschema: "shop" # ours\nmodules:\n  - mod_base\n  - name: x\n    "quoted": 1\ntext: |\n  any : thing\n  at all\n',
      ),
    ).toEqual({ dbschema: 'shop' })
    expect(read('config.d/notes.txt', 'anything')).toEqual({})
  })
  it.each([
    ['zotonic_site.json', '{"a": 1', 'no JSON'],
    ['zotonic_site.json', '"text"', 'no settings'],
    ['zotonic_site.yaml', 'a: 1\n\tb: 2\n', 'line 2: a tab'],
    ['zotonic_site.yml', 'a: 1\nhalf a line\n', 'line 2'],
    ['zotonic_site.yml', '# nothing\n', 'sets nothing'],
    ['zotonic_site.config', '  \n', 'empty'],
    ['zotonic_site.config', '[{a, 1}', 'missing'],
  ])('%s: %s is refused', (file, text, reason) => {
    expect(() => read(file, text)).toThrow(reason)
  })
})
