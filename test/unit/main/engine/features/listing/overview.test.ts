import { describe, expect, it } from 'vitest'
import { siteStatus } from '#engine/features/listing/overview.ts'
import type { DrillRecord } from '#engine/features/listing/proof-store.ts'
import type { BackupEntry, BackupList, Proof, RepositoryName } from '#shared/model/backup.ts'
import type { DrillReport } from '#shared/model/drill.ts'
import type { Job } from '#shared/model/job.ts'
import { siteSchema } from '#shared/model/site.ts'
import { backupEntry, DATABASE_PART } from '#test/support/backup-entry.ts'

const NOW = new Date('2026-11-23T09:42:00Z')
const hoursAgo = (hours: number) => new Date(NOW.getTime() - hours * 3_600_000).toISOString()
const view = (hasServer = true) => ({
  site: siteSchema.parse({
    name: 'shop',
    database: { database: 'x', schema: 'shop', user: 'x' },
    ...(hasServer ? { server: { kind: 'folder', siteDir: '/s', filesDir: '/f', securityDir: '/c' } } : {}),
  }),
  vaultPath: '/v',
  hasDatabasePassword: true,
  hasEncryptionPassword: false,
  hasSshPassword: false,
  hasSshPassphrase: false,
  hasFilestoreSecret: false,
  isDemo: false,
})
const proof = (level: number, verdict: Proof['verdict'] = 'verified'): Proof => ({
  level,
  verdict,
  verifiedAt: hoursAgo(1),
  parts: [],
  drill: null,
})
const backup = (repository: RepositoryName, hours: number, change: Partial<BackupEntry> = {}) =>
  backupEntry({
    name: 'shop-1',
    timestamp: `${hoursAgo(hours).slice(0, 19)}Z`,
    repository,
    parts: [{ ...DATABASE_PART, file: 'shop-1.sql.gz', size: 1000, hash: null }],
    proof: proof(2),
    ...change,
  })
const job = (hours: number, state: Job['state'], message = ''): Job => ({
  id: 'x',
  kind: 'backup',
  title: 'Backing up shop',
  site: 'shop',
  state,
  createdAt: hoursAgo(hours),
  startedAt: null,
  endedAt: null,
  phase: null,
  items: [],
  question: null,
  holds: [],
  result: null,
  error: message ? { code: 'x', message, hint: '', details: {} } : null,
  program: 'zbd',
  seen: false,
})
const status = (backups: BackupEntry[], options: { problems?: BackupList['problems']; jobs?: Job[]; hasServer?: boolean } = {}) =>
  siteStatus(
    view(options.hasServer),
    { backups, unknown: [], problems: options.problems ?? [], scheme: 'server' },
    options.jobs ?? [],
    NOW,
  )
const fresh = [backup('vault', 6), backup('server', 7)]
const unreadable = [{ repository: 'server', code: 'index-corrupt', message: 'The index can’t be read.', hint: '' }]

describe('siteStatus', () => {
  it('is protected with a fresh, verified backup in two places', () => {
    expect(status(fresh)).toMatchObject({
      protection: 'protected',
      newest: { name: 'shop-1', bytes: 1000 },
      copies: { vault: 'newest', server: 'newest' },
      encryption: 'plain',
      proof: { level: 2 },
    })
  })

  it('counts a copy in the filestore without its media archive: servers upload none', () => {
    const known = view()
    const filestore = { region: 'us-east-1', bucket: 'b', prefix: '', pathStyle: true, accessKeyId: 'k' }
    const withFilestore = { ...known, site: { ...known.site, filestore } }
    const media = { part: 'files' as const, file: 'shop-1.tar.gz', size: null, hash: null, isEncrypted: false }
    const copies = (trouble: 'missing' | 'not-uploaded') => {
      const parts = [...backup('filestore', 6).parts, { ...media, trouble }]
      const backups = [backup('vault', 6), backup('filestore', 6, { parts })]
      return siteStatus(withFilestore, { backups, unknown: [], problems: [], scheme: 'server' }, [], NOW)
    }
    expect(copies('not-uploaded')).toMatchObject({ protection: 'protected', copies: { filestore: 'newest' } })
    expect(copies('missing')).toMatchObject({ protection: 'ageing', copies: { filestore: 'none' } })
  })

  it.each<[string, () => ReturnType<typeof status>, string, string]>([
    ['a night was missed', () => status([backup('vault', 27), backup('server', 28)]), 'ageing', '1 d 3 h'],
    ['never verified', () => status(fresh.map((entry) => ({ ...entry, proof: null }))), 'ageing', 'not verified'],
    ['only looked at', () => status(fresh.map((entry) => ({ ...entry, proof: proof(0) }))), 'ageing', 'not fully verified'],
    ['no server', () => status([backup('vault', 6)], { hasServer: false }), 'ageing', 'in the vault only'],
    ['server only', () => status([backup('server', 6)]), 'ageing', 'on the server only'],
    ['server copy old', () => status([backup('vault', 6), backup('server', 60)]), 'ageing', 'in the vault only'],
    ['server unreadable', () => status([backup('vault', 6)], { problems: unreadable }), 'ageing', 'The index can’t be read.'],
    [
      'the last run failed',
      () => status(fresh, { jobs: [job(1, 'failed', 'Permission denied for table rsc_gone.')] }),
      'ageing',
      'rsc_gone',
    ],
    ['two nights missed', () => status([backup('vault', 51)]), 'unprotected', '2 d 3 h'],
    ['nothing', () => status([]), 'unprotected', 'no good backup'],
    ['only damaged ones', () => status([backup('vault', 6, { proof: proof(0, 'failed') })]), 'unprotected', 'no good backup'],
    [
      'a part is missing',
      () =>
        status([
          backup('vault', 6, {
            parts: [{ part: 'database', file: 'x', size: null, hash: null, isEncrypted: false, trouble: 'missing' }],
          }),
        ]),
      'unprotected',
      'no good backup',
    ],
    ['nothing could be read', () => status([], { problems: unreadable }), 'unknown', 'The index can’t be read.'],
  ])('%s', (_what, make, protection, reason) => {
    const found = make()
    expect(found.protection).toBe(protection)
    expect(found.reason).toContain(reason)
    expect(found.reason).toMatch(/^[A-Z].*\.$/)
  })

  const drill = (outcome: DrillReport['outcome'], finding = 'x'): DrillReport => ({
    outcome,
    startedAt: hoursAgo(2),
    recoverySeconds: 4,
    seconds: 6,
    server: 'PostgreSQL 18.4',
    tables: 1,
    rows: 1,
    checks: [{ id: 'media', name: 'Media archive', outcome: outcome === 'failed' ? 'failed' : 'passed', finding }],
    rowCounts: {},
    keptIn: null,
  })
  const badDrill: Proof = { ...proof(2, 'failed'), drill: drill('failed', '3 files are not in the archive') }

  it('does not take a safety backup for one of the nights', () => {
    const safety = backup('vault', 1, { name: 'shop-safety-20261123084200', slot: null, kind: 'safety' })
    expect(status([safety])).toMatchObject({ protection: 'unprotected', newest: null, sizes: [] })
    expect(status([safety, ...fresh])).toMatchObject({ protection: 'protected', newest: { name: 'shop-1' } })
  })

  it('is unprotected when the newest backup failed its drill or its verification, and says why', () => {
    const older = [backup('vault', 25, { name: 'shop-7' }), backup('server', 25, { name: 'shop-7' })]
    const drilled = status([backup('vault', 6, { proof: badDrill }), ...older])
    expect(drilled).toMatchObject({ protection: 'unprotected', newest: { name: 'shop-7' } })
    expect(drilled.reason).toContain(
      'The drill of shop-1 of Mon 23 Nov 03:42 in the vault failed: Media archive: 3 files are not',
    )
    expect(drilled.reason).toContain('The newest good backup is 1 d 1 h old')
    const verified = status([backup('vault', 6, { proof: proof(0, 'failed') }), ...older])
    expect(verified).toMatchObject({ protection: 'unprotected' })
    expect(verified.reason).toContain('The verification of shop-1')
  })

  it('is ageing when an older backup failed, or one copy of the newest whose other copy is well', () => {
    const old = status([...fresh, backup('vault', 200, { name: 'shop-3', proof: badDrill })])
    expect(old.protection).toBe('ageing')
    expect(old.reason).toContain('The drill of shop-3')
    expect(status([backup('vault', 6, { proof: badDrill }), backup('server', 6)]).protection).toBe('ageing')
    expect(status([backup('vault', 6, { proof: badDrill }), backup('server', 6, { proof: null })]).protection).toBe('unprotected')
  })

  it('a drill that could not be made here is no fault of the backup', () => {
    const copies = fresh.map((entry) => ({ ...entry, proof: { ...proof(2), drill: drill('unknown') } }))
    expect(status(copies).protection).toBe('protected')
  })

  it('has the newest drill of any backup, also of one that is gone', () => {
    const record: DrillRecord = {
      repository: 'vault',
      name: 'shop-5',
      timestamp: hoursAgo(100),
      bytes: 1,
      newest: null,
      report: drill('passed'),
    }
    expect(siteStatus(view(), { backups: fresh, unknown: [], problems: [], scheme: 'server' }, [], NOW, record).drill).toEqual({
      outcome: 'passed',
      startedAt: hoursAgo(2),
      recoverySeconds: 4,
      name: 'shop-5',
      timestamp: hoursAgo(100),
    })
    expect(status(fresh).drill).toBeNull()
  })

  it('a failure that a later backup made good is over', () => {
    expect(status(fresh, { jobs: [job(1, 'done'), job(2, 'failed', 'Disk full.')] }).protection).toBe('protected')
  })

  it('shows 35 nights, oldest first', () => {
    const nights = status([...fresh, backup('server', 30), backup('vault', 24 * 8)], {
      jobs: [job(50, 'failed', 'Disk full.'), job(30, 'failed', 'Late.')],
    }).nights
    expect(nights).toHaveLength(35)
    expect(nights[0]).toMatchObject({ date: '2026-10-20', outcome: 'none' })
    expect(nights.slice(-3).map(({ date, outcome }) => [date, outcome])).toEqual([
      ['2026-11-21', 'failed'],
      ['2026-11-22', 'one-place'],
      ['2026-11-23', 'good'],
    ])
    expect(nights.at(-3)?.text).toContain('Disk full.')
    expect(nights.find(({ date }) => date === '2026-11-15')?.outcome).toBe('one-place')
  })
})
