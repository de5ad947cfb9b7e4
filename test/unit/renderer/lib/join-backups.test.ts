import { describe, expect, it } from 'vitest'
import { countBackups, filterBackups, joinBackups, rotationText, whyKept } from '#renderer/lib/join-backups.ts'
import type { BackupEntry, BackupList, Proof } from '#shared/model/backup.ts'

function entry(change: Partial<BackupEntry> & Pick<BackupEntry, 'repository'>): BackupEntry {
  const name = change.name ?? 'testsite-1'
  return {
    name,
    timestamp: '2026-11-23T03:01:00Z',
    is_encrypted: false,
    is_database_present: true,
    is_files_present: true,
    is_config_files_present: false,
    is_filestore_uploaded: false,
    slot: '1',
    kind: 'daily',
    kept: { reason: 'day', text: '', replacedOn: null },
    parts: [
      { part: 'database', file: `${name}.sql.gz`, size: 48, hash: 'aa', isEncrypted: false, trouble: null },
      { part: 'files', file: `${name}.tar.gz`, size: 131, hash: 'bb', isEncrypted: false, trouble: null },
    ],
    proof: null,
    ...change,
  }
}

function proof(change: Partial<Proof>): Proof {
  return { level: 2, verdict: 'verified', verifiedAt: '2026-11-23T03:20:00.000Z', parts: [], drill: null, ...change }
}

const join = (backups: BackupEntry[], beside: Partial<BackupList> = {}) => joinBackups({ backups, ...beside })

describe('joinBackups', () => {
  it('makes one row of the copies of one backup, newest first', () => {
    const rows = join([
      entry({ repository: 'server', name: 'testsite-7', timestamp: '2026-11-22T03:01:00Z' }),
      entry({ repository: 'vault' }),
      entry({ repository: 'server' }),
    ])
    expect(rows.map((row) => [row.name, Object.keys(row.copies).sort()])).toEqual([
      ['testsite-1', ['server', 'vault']],
      ['testsite-7', ['server']],
    ])
  })

  it('keeps this week’s and last week’s backup of one slot apart', () => {
    const rows = join([entry({ repository: 'vault', timestamp: '2026-11-16T03:01:00Z' }), entry({ repository: 'server' })])
    expect(rows).toHaveLength(2)
    expect(rows[0]?.copies.vault).toBeUndefined()
  })

  it('takes a filestore’s copy without its media archive for what it is: servers upload none', () => {
    const uploaded = entry({ repository: 'filestore' })
    uploaded.parts[1] = { ...uploaded.parts[1]!, size: null, trouble: 'not-uploaded' }
    const [row] = join([entry({ repository: 'server' }), uploaded])
    expect(row?.copies.filestore).toMatchObject({ state: 'present', reason: '' })
    expect(row?.copies.filestore?.note).toContain('servers upload no media archive')
    expect(row?.copies.server).toMatchObject({ state: 'present', note: '' })
    expect(row?.hasProblem).toBe(false)
  })

  it('says which file of an incomplete copy is not there', () => {
    const broken = entry({ repository: 'server' })
    broken.parts[1] = { part: 'files', file: 'testsite-1.tar.gz', size: null, hash: 'bb', isEncrypted: false, trouble: null }
    const [row] = join([entry({ repository: 'vault' }), broken])
    expect(row?.copies.server?.state).toBe('incomplete')
    expect(row?.copies.server?.reason).toContain('testsite-1.tar.gz')
    expect(row?.copies.vault?.state).toBe('present')
    expect(row?.hasProblem).toBe(true)
  })

  it('tells the level, the file and the reason of a failed verification, and does not count it as proof', () => {
    const failed = proof({
      level: 0,
      verdict: 'failed',
      parts: [
        {
          part: 'database',
          file: 'testsite-1.sql.gz',
          levels: { L0: { outcome: 'passed', reason: '' }, L1: { outcome: 'failed', reason: 'Other hash.' }, L2: null },
        },
      ],
    })
    const [row] = join([entry({ repository: 'vault', proof: failed }), entry({ repository: 'server' })])
    expect(row?.copies.vault?.state).toBe('failed')
    expect(row?.copies.vault?.reason).toContain('L1, testsite-1.sql.gz: Other hash.')
    expect(row?.proof).toBeNull()
  })

  it('marks copies that differ, but not an encrypted file beside its plain one', () => {
    const other = entry({ repository: 'server' })
    other.parts[0] = { part: 'database', file: 'testsite-1.sql.gz', size: 48, hash: 'cc', isEncrypted: false, trouble: null }
    expect(join([entry({ repository: 'vault' }), other])[0]?.copies.server?.state).toBe('differs')
    other.parts[0] = { part: 'database', file: 'testsite-1.sql.gz.enc', size: 48, hash: 'cc', isEncrypted: true, trouble: null }
    expect(join([entry({ repository: 'vault' }), other])[0]?.copies.server?.state).toBe('present')
  })

  it('marks the odd one of three copies, and says that the others agree', () => {
    const odd = (repository: 'vault' | 'filestore') => {
      const one = entry({ repository })
      one.parts[0] = { part: 'database', file: 'testsite-1.sql.gz', size: 47, hash: 'aa', isEncrypted: false, trouble: null }
      return one
    }
    const [far] = join([entry({ repository: 'vault' }), entry({ repository: 'server' }), odd('filestore')])
    expect(far?.copies.filestore?.state).toBe('differs')
    expect(far?.copies.filestore?.reason).toContain('Vault and server agree.')
    expect([far?.copies.vault?.state, far?.copies.server?.state]).toEqual(['present', 'present'])
    const [near] = join([odd('vault'), entry({ repository: 'server' }), entry({ repository: 'filestore' })])
    expect(near?.copies.vault?.reason).toContain('Server and filestore agree.')
    expect([near?.copies.server?.state, near?.copies.filestore?.state]).toEqual(['present', 'present'])
  })

  it('makes nothing of two hashes of one encrypted part: one may be of its content', () => {
    const part = { part: 'database' as const, file: 'testsite-1.sql.gz.enc', size: 48, isEncrypted: true, trouble: null }
    const copies = (['vault', 'server'] as const).map((repository, index) =>
      entry({ repository, parts: [{ ...part, hash: index === 0 ? 'aa' : 'cc' }] }),
    )
    expect(join(copies)[0]?.hasProblem).toBe(false)
  })

  it.each([
    ['empty', 0, 'empty'],
    ['newer', 48, 'newer'],
    ['missing', null, 'incomplete'],
  ] as const)('says where index and files disagree: %s', (trouble, size, state) => {
    const part = { part: 'database' as const, file: 'testsite-1.sql.gz', size, hash: 'aa', isEncrypted: false, trouble }
    const [row] = join([entry({ repository: 'server', parts: [part] })])
    expect(row?.copies.server?.state).toBe(state)
    expect(row?.copies.server?.reason).toContain('testsite-1.sql.gz')
    expect(row?.hasProblem).toBe(true)
  })

  it('tells a place that only has an older one from one that has none, and from one that nobody could list', () => {
    const old = entry({ repository: 'filestore', timestamp: '2026-11-16T03:01:00Z' })
    const [row, older] = join([entry({ repository: 'vault' }), old])
    expect(row?.absent.filestore?.state).toBe('stale')
    expect(row?.absent.server).toBeUndefined()
    expect(older?.absent.vault?.state).toBe('later')
    expect([row?.hasProblem, older?.hasProblem]).toEqual([true, false])
    const problems = [{ repository: 'server', code: 'host-unreachable', message: '', hint: '' }]
    expect(join([entry({ repository: 'vault' })], { problems })[0]?.absent.server?.state).toBe('unknown')
    const unknown = [{ repository: 'server' as const, file: 'config-testsite-1.tar.gz', size: 1, kind: 'stale' as const }]
    expect(join([entry({ repository: 'vault' })], { unknown })[0]?.absent.server?.reason).toContain('config-testsite-1.tar.gz')
  })

  it('takes the best proof of all copies', () => {
    const [row] = join([
      entry({ repository: 'vault', proof: proof({ level: 1 }) }),
      entry({ repository: 'server', proof: proof({ level: 2, verifiedAt: '2026-11-20T03:20:00.000Z' }) }),
    ])
    expect(row?.proof).toEqual({ level: 2, at: '2026-11-20T03:20:00.000Z' })
  })
})

describe('filters', () => {
  const rows = join([
    entry({ repository: 'vault' }),
    entry({ repository: 'vault', name: 'testsite-w3', slot: 'w3', kind: 'weekly', timestamp: '2026-11-22T03:01:00Z' }),
    entry({
      repository: 'vault',
      name: 'testsite-6',
      slot: '6',
      timestamp: '2026-11-21T03:01:00Z',
      parts: [{ part: 'database', file: 'x', size: null, hash: null, isEncrypted: false, trouble: null }],
    }),
  ])

  it('counts each kind and the problems', () => {
    expect(countBackups(rows)).toEqual({ all: 3, daily: 2, weekly: 1, safety: 0, pinned: 0, 'to-fetch': 0, problems: 1 })
  })

  it('filters by kind, by name and by day together', () => {
    expect(filterBackups(rows, 'weekly', '').map((row) => row.name)).toEqual(['testsite-w3'])
    expect(filterBackups(rows, 'all', 'sat 21').map((row) => row.name)).toEqual(['testsite-6'])
    expect(filterBackups(rows, 'weekly', 'sat 21')).toEqual([])
  })
})

describe('whyKept', () => {
  it('says whose turn it is and until when', () => {
    expect(whyKept({ reason: 'day', text: 'Tuesday', replacedOn: '2026-12-01' })).toBe('Tuesday · until Tue 1 Dec')
    expect(whyKept({ reason: 'week', text: 'week 3', replacedOn: '2026-12-27' })).toBe('Week 3 · until Sun 27 Dec')
  })

  it('promises no day where no night comes, and none for what is outside of the rotation', () => {
    expect(whyKept({ reason: 'day', text: 'Tuesday', replacedOn: null })).toBe('Tuesday')
    expect(whyKept({ reason: 'pinned', text: 'pinned', replacedOn: null })).toBe('Pinned · until deleted')
    expect(whyKept({ reason: 'outside', text: 'outside the rotation', replacedOn: null })).toBe('Outside the rotation')
  })

  it('names both rotations', () => {
    expect(rotationText('server')).toContain('Mon = 1')
    expect(rotationText('manual')).toContain('Mon = 2')
  })
})
