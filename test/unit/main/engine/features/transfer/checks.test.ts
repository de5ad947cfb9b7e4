import { describe, expect, it } from 'vitest'
import * as checks from '#engine/features/transfer/checks.ts'
import { confirmationOf } from '#engine/features/transfer/describe-plan.ts'
import type { BackupIndex } from '#engine/foundation/repository/types.ts'
import type { TransferItem, TransferPlan } from '#shared/model/transfer.ts'

const GB = 1e9
/** Slot 1 by the server's rule, 2 by the manual's. */
const MONDAY = Date.UTC(2026, 10, 23) / 1000

const indexOf = (slots: Record<string, number>): BackupIndex =>
  new Map(Object.entries(slots).map(([slot, timestamp]) => [`testsite-${slot}`, { timestamp }])) as BackupIndex

describe('the checks of a transfer’s plan', () => {
  it('fail when the disk is too small, and warn when nobody can tell', () => {
    const outcome = (bytes: number, free: number | null) => checks.spaceCheck('/vault', bytes, free).outcome
    expect(outcome(GB, 2 * GB)).toBe('passed')
    expect(outcome(2 * GB, GB)).toBe('failed')
    // something is left for whatever else writes there
    expect(outcome(GB, GB)).toBe('failed')
    expect(outcome(GB, null)).toBe('warning')
  })

  it('warn of a clock that is a minute off, either way', () => {
    expect(checks.clockCheck('server', 59).outcome).toBe('passed')
    expect(checks.clockCheck('server', 61)).toMatchObject({
      outcome: 'warning',
      finding: expect.stringContaining('ahead of ours'),
    })
    expect(checks.clockCheck('filestore', -3600)).toMatchObject({
      outcome: 'warning',
      finding: expect.stringContaining('behind ours'),
    })
  })

  it('fail when a server’s slots are named by another scheme', () => {
    const outcome = (to: 'vault' | 'server', target: BackupIndex) =>
      checks.slotsCheck('testsite', { from: 'vault', to }, { source: indexOf({ 1: MONDAY }), target }).outcome
    const otherScheme = indexOf({ 2: MONDAY })
    expect(outcome('server', indexOf({}))).toBe('passed')
    expect(outcome('server', indexOf({ 1: MONDAY - 7 * 86_400 }))).toBe('passed')
    expect([outcome('server', otherScheme), outcome('vault', otherScheme)]).toEqual(['failed', 'warning'])
  })

  it('fail when a source without backups would empty the target', () => {
    expect(checks.deletionCheck(3, true).outcome).toBe('failed')
    expect(checks.deletionCheck(3, false).outcome).toBe('warning')
  })
})

describe('what is confirmed of a transfer', () => {
  const item = (name: string, changes: Partial<TransferItem> = {}): TransferItem => ({
    name,
    timestamp: '2026-11-22T03:00:00Z',
    action: 'copy',
    mends: false,
    displaces: false,
    marks: false,
    reason: '',
    parts: [],
    bytes: 1000,
    storedBytes: 0,
    replaces: null,
    ...changes,
  })
  const plan: TransferPlan = {
    id: 'the-plan',
    sha256: 'ab'.repeat(32),
    createdAt: '2026-11-23T00:00:00.000Z',
    expiresAt: '2026-11-23T00:10:00.000Z',
    site: 'testsite',
    from: 'vault',
    to: 'server',
    fromPlace: '/vault',
    toPlace: 'sftp://web1/backup',
    items: [
      item('testsite-1'),
      item('testsite-2', { replaces: '2026-11-15T03:00:00Z' }),
      item('testsite-3', { action: 'same' }),
      item('testsite-4', { action: 'refused' }),
    ],
    deletions: [{ name: 'testsite-5', timestamp: '2026-11-19T03:00:00Z', files: ['testsite-5.sql.gz'], bytes: 500 }],
    bytes: 2000,
    checks: [],
    needsConfirmation: true,
    runnable: true,
  }

  it('is what the plan does, and nothing else', () => {
    const asked = confirmationOf(plan)
    const fact = (label: string) => asked?.facts.find((found) => found.label === label)?.text
    expect(asked).toMatchObject({ id: 'the-plan', typedName: 'testsite', planLabel: expect.stringContaining('ABAB') })
    expect(asked?.question).toMatch(/^Copy 2 backups of testsite from the vault to the server, and delete 1 there\?$/)
    expect(fact('Replaced')).toMatch(/^testsite-2: /)
    expect(fact('Written')).toMatch(/^2 backups, .* in sftp:\/\/web1\/backup$/)
    expect(fact('Deleted')).toMatch(/^testsite-5 of .*500 B$/)
    expect(fact('Way back')).toMatch(/^none/)
  })

  it('is nothing for a fetch into the vault that deletes nothing', () => {
    expect(confirmationOf({ ...plan, needsConfirmation: false })).toBeNull()
  })
})
