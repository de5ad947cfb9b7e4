import { describe, expect, it } from 'vitest'
import { siteStatus } from '#engine/features/listing/overview.ts'
import type { BackupEntry, BackupList, Proof } from '#shared/model/backup.ts'
import type { Job } from '#shared/model/job.ts'
import { siteSchema } from '#shared/model/site.ts'

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
  isDemo: false,
})
const proof = (level: number, verdict: Proof['verdict'] = 'verified'): Proof => ({
  level,
  verdict,
  verifiedAt: hoursAgo(1),
  parts: [],
  drill: null,
})
function backup(repository: 'vault' | 'server', hours: number, change: Partial<BackupEntry> = {}): BackupEntry {
  return {
    name: 'shop-1',
    timestamp: `${hoursAgo(hours).slice(0, 19)}Z`,
    is_encrypted: false,
    is_database_present: true,
    is_files_present: false,
    is_config_files_present: false,
    is_filestore_uploaded: false,
    repository,
    slot: '1',
    kind: 'daily',
    parts: [{ part: 'database', file: 'shop-1.sql.gz', size: 1000, hash: null, isEncrypted: false }],
    kept: { reason: 'day', text: '', replacedOn: null },
    proof: proof(2),
    ...change,
  }
}
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
        status([backup('vault', 6, { parts: [{ part: 'database', file: 'x', size: null, hash: null, isEncrypted: false }] })]),
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
