import { describe, expect, it } from 'vitest'
import { baseName, decryptRows, decryptTotals, folderOf, siteOfFile } from '#renderer/lib/decrypt-rows.ts'
import type { Job, JobItem } from '#shared/model/job.ts'

function item(change: Partial<JobItem>): JobItem {
  return {
    id: 'file-1',
    name: 'a.sql.gz.enc',
    state: 'waiting',
    detail: '',
    done: 0,
    total: 100,
    facts: { path: '/d/a.sql.gz.enc' },
    ...change,
  }
}

function job(change: Partial<Job>): Job {
  return {
    id: 'one',
    kind: 'decrypt',
    title: '',
    site: null,
    state: 'running',
    createdAt: '2026-11-23T09:00:00.000Z',
    startedAt: null,
    endedAt: null,
    phase: null,
    items: [],
    question: null,
    holds: [],
    result: null,
    error: null,
    program: 'window',
    seen: true,
    ...change,
  }
}

describe('decryptRows', () => {
  it('gives a file that was tried again one row, that of the later try', () => {
    const first = job({
      items: [
        item({ state: 'refused', facts: { path: '/d/a.sql.gz.enc', code: 'output-exists' } }),
        item({ id: 'file-2', facts: { path: '/d/b.enc' } }),
      ],
    })
    const later = job({
      id: 'two',
      createdAt: '2026-11-23T09:05:00.000Z',
      items: [item({ state: 'done', facts: { path: '/d/a.sql.gz.enc', output: '/other/a.sql.gz' } })],
    })
    const rows = decryptRows([later, first])
    expect(rows.map((row) => [row.path, row.state, row.jobId])).toEqual([
      ['/d/a.sql.gz.enc', 'done', 'two'],
      ['/d/b.enc', 'waiting', 'one'],
    ])
    expect(rows[0]?.outputFile).toBe('a.sql.gz')
  })

  it('tells a name that is taken from other refusals', () => {
    const refused = (code: string) =>
      decryptRows([job({ items: [item({ state: 'refused', facts: { path: '/d/a', code } })] })])[0]?.state
    expect(refused('output-exists')).toBe('output-exists')
    expect(refused('not-a-backup')).toBe('refused')
  })

  it('shows what a job left undone as cancelled once the job has ended', () => {
    const items = [item({ state: 'needs-password' }), item({ id: 'file-2', state: 'done', facts: { path: '/d/b' } })]
    expect(decryptRows([job({ state: 'cancelled', items })]).map((row) => row.state)).toEqual(['cancelled', 'done'])
  })

  it('bears facts of another shape', () => {
    const [row] = decryptRows([job({ items: [item({ facts: { path: 7, output: null, size: 'x', tried: {} } })] })])
    expect(row).toMatchObject({ path: 'a.sql.gz.enc', output: null, size: 100, tried: '', passwordSource: '' })
  })

  it('leaves other jobs out', () => {
    expect(decryptRows([job({ kind: 'backup', items: [item({})] })])).toEqual([])
  })
})

describe('decryptTotals', () => {
  it('counts states, and bytes only of files that are or will be written', () => {
    const items = [
      item({ state: 'done', done: 100, facts: { path: '1', size: 100 } }),
      item({ id: '2', state: 'running', done: 40, facts: { path: '2', size: 100 } }),
      item({ id: '3', state: 'needs-password', facts: { path: '3', size: 900 } }),
      item({ id: '4', state: 'refused', facts: { path: '4', size: 900, code: 'not-a-backup' } }),
    ]
    expect(decryptTotals(decryptRows([job({ items })]))).toEqual({
      files: 4,
      done: 1,
      running: 1,
      waiting: 0,
      needsPassword: 1,
      refused: 1,
      failed: 0,
      bytesDone: 140,
      bytesTotal: 200,
    })
  })
})

describe('names', () => {
  it('finds the site in a backup’s file name', () => {
    expect(siteOfFile('nieuws-w3.sql.gz.enc')).toBe('nieuws')
    expect(siteOfFile('config-webshop-nl-5.tar.gz.enc')).toBe('webshop-nl')
    expect(siteOfFile('notes.enc')).toBeNull()
  })

  it('splits paths of every system', () => {
    expect([baseName('/a/b.enc'), folderOf('/a/b.enc'), folderOf('/b.enc')]).toEqual(['b.enc', '/a', '/'])
    expect([baseName('C:\\x\\b.enc'), folderOf('C:\\x\\b.enc')]).toEqual(['b.enc', 'C:\\x'])
  })
})
