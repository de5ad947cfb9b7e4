import { describe, expect, it } from 'vitest'
import { joinBackups } from '#renderer/lib/join-backups.ts'
import { transferCommand, withoutLoop } from '#renderer/lib/transfer-choice.ts'
import { copyTargets, fetchSource, runsByItself, transferInto, transferSpeed, transferSummary } from '#renderer/lib/transfers.ts'
import type { BackupEntry, RepositoryName } from '#shared/model/backup.ts'
import type { Job } from '#shared/model/job.ts'
import { backupEntry } from '#test/support/backup-entry.ts'

const AT = '2026-11-23T03:01:00Z'

const entry = (repository: RepositoryName, change: Partial<BackupEntry> = {}) =>
  backupEntry({ repository, timestamp: AT, ...change })

const row = (...entries: BackupEntry[]) => joinBackups({ backups: entries }).find(({ timestamp }) => timestamp === AT)!
const ALL: RepositoryName[] = ['vault', 'server', 'filestore']

describe('what can be fetched and copied', () => {
  it('fetches what the vault lacks, from a copy that is whole', () => {
    expect(fetchSource(row(entry('server')))).toBe('server')
    expect(fetchSource(row(entry('server'), entry('vault')))).toBeNull()
    const broken = entry('server', { parts: [{ ...entry('server').parts[0]!, size: null, trouble: 'missing' }] })
    expect(fetchSource(row(broken))).toBeNull()
    expect(fetchSource(row(broken, entry('filestore')))).toBe('filestore')
  })

  it('offers no place whose slot has that backup or a later one', () => {
    expect(copyTargets(row(entry('vault')), ALL)).toEqual([
      { from: 'vault', to: 'server' },
      { from: 'vault', to: 'filestore' },
    ])
    expect(copyTargets(row(entry('vault'), entry('server')), ALL)).toEqual([{ from: 'vault', to: 'filestore' }])
    const later = entry('filestore', { timestamp: '2026-11-30T03:01:00Z' })
    expect(copyTargets(row(entry('vault'), entry('server'), later), ALL)).toEqual([])
    const older = entry('filestore', { timestamp: '2026-11-16T03:01:00Z' })
    expect(copyTargets(row(entry('vault'), entry('server'), older), ALL)).toEqual([{ from: 'vault', to: 'filestore' }])
  })

  it('leaves what is outside of the rotation where it is', () => {
    expect(copyTargets(row(entry('vault', { slot: null, kind: 'pinned' })), ALL)).toEqual([])
  })
})

describe('a plan', () => {
  const plan = { runnable: true, needsConfirmation: false, checks: [{ name: 'Space', outcome: 'passed' as const, finding: '' }] }

  it('runs by itself only when nobody has anything to decide or to read', () => {
    expect(runsByItself(plan)).toBe(true)
    expect(runsByItself({ ...plan, needsConfirmation: true })).toBe(false)
    expect(runsByItself({ ...plan, runnable: false })).toBe(false)
    expect(runsByItself({ ...plan, checks: [{ name: 'Slots', outcome: 'warning', finding: '' }] })).toBe(false)
  })

  it('is turned round when both ends would be one place', () => {
    const before = { from: 'server', to: 'vault', deleteOthers: true } as const
    expect(withoutLoop(before, { to: 'server' })).toEqual({ from: 'vault', to: 'server', deleteOthers: true })
    expect(withoutLoop(before, { from: 'filestore' })).toEqual({ from: 'filestore', to: 'vault', deleteOthers: true })
  })

  it('is the same from a terminal', () => {
    const choice = { from: 'vault', to: 'filestore', deleteOthers: true } as const
    expect(transferCommand({ site: 'testsite', backup: null }, choice, true)).toBe(
      'zbd sync testsite --from vault --to filestore --delete --confirm testsite',
    )
    const backup = { name: 'testsite-1', timestamp: AT }
    expect(transferCommand({ site: 'testsite', backup }, { ...choice, deleteOthers: false }, false)).toBe(
      'zbd copy testsite testsite-1 --from vault --to filestore',
    )
  })
})

describe('a transfer under way', () => {
  const job = (state: string, done: number, total: number | null): Job =>
    ({
      kind: 'transfer',
      state: 'running',
      items: [{ id: 'x', name: 'testsite-1', state, detail: '', done, total, facts: { timestamp: AT, to: 'vault' } }],
    }) as unknown as Job

  it('is told in the cell that it fills', () => {
    const subject = row(entry('server'))
    expect(transferInto(subject, [job('running', 62, 100)])).toEqual({ to: 'vault', text: '62 %' })
    expect(transferInto(subject, [job('waiting', 0, 100)])).toEqual({ to: 'vault', text: 'queued' })
    expect(transferInto(subject, [job('done', 100, 100)])).toBeNull()
    expect(transferInto({ ...subject, timestamp: '2026-11-16T03:01:00Z' }, [job('running', 62, 100)])).toBeNull()
    expect(transferInto(subject, [{ ...job('running', 62, 100), state: 'done' }])).toBeNull()
  })

  it('is summed up at its end', () => {
    const one = { name: 'a', timestamp: AT, text: '', bytes: 5 }
    const result = {
      from: 'server' as const,
      to: 'vault' as const,
      backups: [
        { ...one, outcome: 'copied' as const },
        { ...one, outcome: 'same' as const },
        { ...one, outcome: 'failed' as const },
      ],
      bytes: 10_000_000,
      seconds: 5,
    }
    expect(transferSummary(result)).toBe('1 backup copied to the vault, 1 there already, 1 failed.')
    expect(transferSpeed(result)).toBe('10.0 MB in 5 s, 2.00 MB/s.')
  })
})
