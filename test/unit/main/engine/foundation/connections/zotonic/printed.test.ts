import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import fc from 'fast-check'
import { describe, expect, test } from 'vitest'
import { readBackupStart, readPath, readStatus, saysOk, shownOutput } from '#engine/foundation/connections/zotonic/outputs.ts'
import { printedText, readPrintedSettings } from '#engine/foundation/connections/zotonic/printed-settings.ts'
import { type FakeSetting, installFakeZotonic } from '#test/support/fake-zotonic/fake-zotonic.ts'
import { temporaryFolder } from '#test/support/home.ts'
import { allowed } from '#test/support/patience.ts'

const run = promisify(execFile)

async function printedBy(words: string[], config: Record<string, FakeSetting>): Promise<string> {
  const folder = await temporaryFolder()
  const database = { host: 'localhost', port: 1, database: 'd', schema: 's', user: 'u' }
  const site = { state: 'running', siteDir: '/srv/testsite', filesDir: '/srv/f', securityDir: '/srv/s', config, database }
  const fake = await installFakeZotonic(folder, {
    node: 'zotonic001@web1',
    sites: { testsite: site, 'a-very-long-name-of-a-site': { ...site, state: 'failed' } },
    config: { zotonic: { data_dir: 'data', security_dir: '/etc/zotonic/security' }, zotonic_mod_filestore: { s3key: 'AK' } },
  })
  return (await run(fake.command, words)).stdout
}

describe('what the command prints', () => {
  test('the settings of a site: texts, lists, maps, terms', async () => {
    const printed = await printedBy(['siteconfig', 'testsite'], {
      dbpassword: 'p: {a}>% "b"\'',
      environment: 'production',
      hostname: 'www.example.org',
      modules: ['mod_backup', 'mod_filestore'],
      'odd-key': 'x',
      redirect: { term: '[{host,<<"a">>},\n       {port,"8443"},{to,{\'B c\',1}}]' },
      smtp: { host: 'mail', port: 25 },
      notes: { term: '[not closed' },
      zebra: 'last',
    })
    const settings = readPrintedSettings(printed)
    expect(Object.fromEntries(settings)).toEqual({
      dbdatabase: 'zotonic',
      dbdriver: 'z_db_pgsql',
      dbdropschema: 'false',
      dbhost: 'localhost',
      dbpassword: 'p: {a}>% "b"\'',
      dbport: '5432',
      dbschema: 'testsite',
      dbuser: 'zotonic',
      environment: 'production',
      hostname: 'www.example.org',
      modules: ['mod_backup', 'mod_filestore'],
      'odd-key': 'x',
      redirect: new Map<string, unknown>([
        ['host', 'a'],
        ['port', '8443'],
        ['to', ['B c', '1']],
      ]),
      smtp: new Map([
        ['host', 'mail'],
        ['port', '25'],
      ]),
      zebra: 'last',
    })
  })

  test('the settings of the server, by application', async () => {
    const settings = readPrintedSettings(await printedBy(['config', 'zotonic'], {}))
    expect(settings.get('zotonic')).toEqual(
      new Map([
        ['data_dir', 'data'],
        ['security_dir', '/etc/zotonic/security'],
      ]),
    )
    expect(settings.get('zotonic_mod_filestore')).toEqual(new Map([['s3key', 'AK']]))
  })

  test.each([
    '[{dbhost,"db1"},{modules,[mod_backup]},{dbport,5433}]',
    '#{dbhost => <<"db1">>, modules => [mod_backup], dbport => 5433}',
    'Site config for testsite at \'z@h\':\n====\n[{dbhost,"db1"},\n {modules,[mod_backup]},{dbport,5433}].\n',
  ])('settings that are one term as a whole: %s', (text) => {
    expect(Object.fromEntries(readPrintedSettings(text))).toEqual({ dbhost: 'db1', modules: ['mod_backup'], dbport: '5433' })
  })

  test('each byte of UTF-8 printed as a character of its own is put together again, and nothing else is touched', () => {
    fc.assert(
      fc.property(fc.string({ unit: 'grapheme', maxLength: 10 }), (start) => {
        const text = `${start}ż`
        expect(printedText(Buffer.from(text, 'utf8').toString('latin1'))).toBe(text)
        expect(printedText(text)).toBe(text)
      }),
    )
    expect(printedText('caf\u00e9')).toBe('café')
  })

  test('settings of any kind never stop it, in bounded time', () => {
    fc.assert(
      fc.property(
        fc.array(
          fc.constantFrom('a: b', 'c:', "'x': >", '      - y', '      - >', '        {z', '  k: v', '', '}', '> ', '[', 'é'),
          {
            maxLength: 30,
          },
        ),
        (lines) => {
          expect(readPrintedSettings(lines.join('\n'))).toBeInstanceOf(Map)
        },
      ),
      { numRuns: 500 },
    )
    const started = performance.now()
    readPrintedSettings(`a:\n${'      - b\n'.repeat(50_000)}`)
    readPrintedSettings(`${'  '.repeat(50_000)}\n`.repeat(20))
    expect(performance.now() - started).toBeLessThan(allowed(2000))
  })

  test('the sites of a server and their states, Zotonic’s own left out', async () => {
    expect(readStatus(await printedBy(['status'], {}))).toEqual({
      node: 'zotonic001@web1',
      sites: [
        { name: 'testsite', state: 'running' },
        { name: 'a-very-long-name-of-a-site', state: 'failed' },
      ],
    })
    expect(readStatus('sh: something else\n')).toBeNull()
  })

  test('no more sites and no deeper settings than anybody has are taken from a server', () => {
    const many = Array.from({ length: 1500 }, (_, at) => `site${at} running`).join('\n')
    expect(readStatus(`Running: 'z@h'\n====\n${many}\n`)?.sites).toHaveLength(1000)
    const nested = (levels: number) => Array.from({ length: levels }, (_, level) => `${' '.repeat(level)}k:`).join('\n')
    const depthOf = (settings: unknown): number =>
      settings instanceof Map ? 1 + Math.max(0, ...[...settings.values()].map(depthOf)) : 0
    expect(depthOf(readPrintedSettings(`${nested(8)} v`))).toBe(8)
    expect(depthOf(readPrintedSettings(`${nested(300)} v`))).toBeLessThan(10)
    const term = `a: >\n      ${'[{k, '.repeat(30)}v${'}]'.repeat(30)}\n`
    expect(depthOf(readPrintedSettings(term))).toBeLessThan(12)
  })

  test('paths, the start of a backup, and ok', async () => {
    expect(readPath(await printedBy(['sitedir', 'testsite'], {}))).toBe('/srv/testsite')
    expect(readPath('{error,bad_name}\n')).toBeNull()
    expect(readBackupStart("Backup started for 'testsite'\n")).toBe('started')
    expect(readBackupStart("There is already a backup running for 'testsite'\n")).toBe('in-progress')
    expect(readBackupStart("Backup module is not enabled for 'testsite'\n")).toBe('no-module')
    expect(readBackupStart("Could not start backup for 'testsite': no handler\n")).toBe('refused')
    expect(['ok\n', 'Restarting site testsite ... ok\n', '{error,nosite}\n', 'not\n'].map(saysOk)).toEqual([
      true,
      true,
      false,
      false,
    ])
  })

  test('what is shown of it is bounded, has no control characters and no secret', () => {
    const shown = shownOutput(
      `${'x'.repeat(5000)}\n`.repeat(50),
      '\x1b[2Jred\n',
      'dbpassword: open sesame\n{s3secret,<<"abc">>}\n',
    )
    expect(shown.length).toBeLessThan(1300)
    expect(shown).not.toMatch(/sesame|abc|(?!\n)\p{Cc}/u)
    expect(shown).toContain('[2Jred')
  })
})
