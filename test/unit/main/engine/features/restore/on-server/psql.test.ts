import { describe, expect, it } from 'vitest'
import { type PsqlAnswer, psqlEnded } from '#engine/features/restore/on-server/psql-messages.ts'
import { choosePsql, knowsRestrict, readPsqlVersion } from '#engine/features/restore/on-server/psql-program.ts'

const DUMP = '/dev/fd/3'
const ended = (stderr: string, code: number | null = 3) => psqlEnded({ code, stderr }, 'deploy@web1:22', DUMP)

describe('what psql says when it ends', () => {
  it('is an answer of the database server, in any language, with its place in the dump', () => {
    const said = `psql:${DUMP}:3764: FEHLER:  23505: doppelter Schlüsselwert verletzt Unique-Constraint »rsc_pkey«
DETAIL:  Schlüssel »(id)=(1)« existiert bereits.
KONTEXT:  COPY rsc, Zeile 2
ORT:  _bt_check_unique, nbtinsert.c:664
`
    const { code, line, where, severity } = ended(said) as PsqlAnswer
    expect({ code, line, where, severity }).toEqual({ code: '23505', line: 3764, where: 'COPY rsc, Zeile 2', severity: 'ERROR' })
    expect((ended('psql:<stdin>:7: ERROR:  55P03: canceling statement due to lock timeout\n') as PsqlAnswer).line).toBeNull()
    expect((ended('FATAL:  57P01: terminating connection\n', 2) as PsqlAnswer).severity).toBe('FATAL')
  })

  it('is that the dump was not unpacked, whatever psql made of the rest', () => {
    const error = ended(`gzip: stdin: unexpected end of file\npsql:${DUMP}:9: ERROR:  42601: syntax error at end of input\n`)
    expect(error).toMatchObject({ code: 'dump-cut', message: expect.stringContaining('unexpected end of file') })
  })

  it('is its own trouble, without a word that may be a value', () => {
    const error = ended('psql: error: connection to server failed\nDETAIL:  a secret row\n', 2)
    expect(error).toMatchObject({ code: 'psql-failed', message: expect.stringContaining('connection to server failed') })
    expect(error.message).not.toContain('secret')
    expect(ended('', null).message).toContain('was ended')
  })
})

describe('the psql of a server', () => {
  const found = ['16.2', '15.13', '15.20', '13.4'].map((version) =>
    readPsqlVersion('/bin/psql', `psql (PostgreSQL) ${version} (x)`),
  )
  const programs = found.filter((program) => program !== null)

  it('is the nearest one that is not older than the database server, in its newest edition', () => {
    expect(choosePsql(programs, 15)?.version).toBe('15.20')
    expect(choosePsql(programs, 16)?.version).toBe('16.2')
    expect(choosePsql(programs, 17)).toBeNull()
    expect(readPsqlVersion('/bin/pg_dump', 'pg_dump (PostgreSQL) 15.1')).toBeNull()
  })

  it('knows \\restrict or not, by its edition', () => {
    const known = (version: string) =>
      knowsRestrict(readPsqlVersion('', `psql (PostgreSQL) ${version}`) ?? { major: 0, minor: 0 })
    expect(['13.22', '14.19', '15.14', '16.10', '17.6', '18.0', '19.1'].every(known)).toBe(true)
    expect(['12.30', '13.21', '14.18', '15.13', '16.9', '17.5'].some(known)).toBe(false)
  })
})
