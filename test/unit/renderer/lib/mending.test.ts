import { describe, expect, it } from 'vitest'
import { joinBackups } from '#renderer/lib/join-backups.ts'
import { mendings, rivals } from '#renderer/lib/mending.ts'
import type { BackupEntry, BackupPart, Proof, RepositoryName } from '#shared/model/backup.ts'
import { backupEntry, DATABASE_PART } from '#test/support/backup-entry.ts'

const AT = '2026-11-23T03:01:00Z'
const MEDIA: BackupPart = { ...DATABASE_PART, part: 'files', file: 'testsite-1.tar.gz' }

const entry = (repository: RepositoryName, change: Partial<BackupEntry> = {}) =>
  backupEntry({ repository, timestamp: AT, ...change })

function proof(outcome: 'passed' | 'failed', level = 2): Proof {
  const result = { outcome, reason: 'r' }
  return {
    level: outcome === 'passed' ? level : 0,
    verdict: outcome === 'passed' ? 'verified' : 'failed',
    verifiedAt: '2026-11-23T09:00:00Z',
    parts: [{ part: 'database', file: DATABASE_PART.file, levels: { L0: result, L1: result, L2: result } }],
    drill: null,
  }
}

const lost = { parts: [{ ...DATABASE_PART, size: null, trouble: 'missing' as const }] }
const shorter = { parts: [{ ...DATABASE_PART, size: 40 }] }
const ways = (...entries: BackupEntry[]) =>
  joinBackups({ backups: entries })
    .flatMap(mendings)
    .map(({ from, to, why }) => ({ way: `${from} to ${to}`, why }))

describe('what can put a damaged copy right', () => {
  it('is nothing when all is well, or no other place has it', () => {
    expect(ways(entry('vault'), entry('server'))).toEqual([])
    expect(ways(entry('vault', lost))).toEqual([])
    expect(ways(entry('vault', lost), entry('server', lost))).toEqual([])
    expect(ways(entry('vault', { ...lost, slot: null }), entry('server', { slot: null }))).toEqual([])
  })

  it('is a whole copy, rather one that was verified', () => {
    expect(ways(entry('vault', lost), entry('server'))).toEqual([
      { way: 'server to vault', why: expect.stringContaining('as far as its index says') },
    ])
    expect(ways(entry('vault', lost), entry('server'), entry('filestore', { proof: proof('passed') }))).toEqual([
      { way: 'filestore to vault', why: 'The filestore copy is good: verified to L2 on Mon 23 Nov 09:00 UTC.' },
    ])
    expect(ways(entry('vault'), entry('server', { proof: proof('failed') }))[0]?.way).toBe('vault to server')
    expect(ways(entry('vault', lost), entry('server', { proof: proof('failed') }))).toEqual([])
  })

  it('is no copy that lacks a part itself', () => {
    const whole = { parts: [DATABASE_PART, MEDIA] }
    expect(ways(entry('server', { ...whole, proof: proof('failed') }), entry('filestore'))).toEqual([])
    expect(ways(entry('server', whole), entry('vault', { ...whole, proof: proof('failed') }))[0]?.way).toBe('server to vault')
    // media live in the filestore themselves
    const withoutMedia = { parts: [DATABASE_PART, { ...MEDIA, size: null, trouble: 'not-uploaded' as const }] }
    expect(ways(entry('server', whole), entry('filestore', withoutMedia))).toEqual([])
    expect(ways(entry('filestore', withoutMedia), entry('vault', { ...whole, proof: proof('failed') }))).toEqual([])
    const lacking = { parts: [DATABASE_PART, { ...MEDIA, size: null, trouble: 'missing' as const }] }
    expect(ways(entry('server', whole), entry('vault', lacking))[0]?.way).toBe('server to vault')
  })

  it('is known of two that differ once one was verified, and of three when two agree', () => {
    expect(ways(entry('vault'), entry('server', shorter))).toEqual([])
    expect(ways(entry('vault', { proof: proof('passed') }), entry('server', shorter))[0]?.way).toBe('vault to server')
    expect(ways(entry('vault', shorter), entry('server', { proof: proof('passed') }))[0]?.way).toBe('server to vault')
    expect(ways(entry('vault'), entry('server', shorter), entry('filestore'))).toEqual([
      { way: 'vault to server', why: 'The vault copy is good: another one agrees with it.' },
    ])
    const both = { proof: proof('passed') }
    expect(ways(entry('vault', both), entry('server', { ...both, ...shorter }))).toEqual([])
  })

  it('is nothing where the indexes name two backups, unless verifying found one damaged', () => {
    const other = { parts: [{ ...DATABASE_PART, hash: 'bb' }] }
    expect(ways(entry('vault', { proof: proof('passed') }), entry('server', other))).toEqual([])
    expect(ways(entry('vault', { proof: proof('passed') }), entry('server', { ...other, proof: proof('failed') }))).toHaveLength(
      1,
    )
  })

  it('is the operator’s choice where two copies of one moment may both be good', () => {
    const choices = (...entries: BackupEntry[]) =>
      joinBackups({ backups: entries })
        .flatMap(rivals)
        .map(({ from, to }) => `${from} for ${to}`)
    const both = { proof: proof('passed') }
    const other = { parts: [{ ...DATABASE_PART, hash: 'bb' }] }
    const verified = entry('server', { ...both, ...shorter })
    expect(choices(entry('vault', both), verified)).toEqual(['vault for server', 'server for vault'])
    expect(choices(entry('vault'), entry('server', other))).toHaveLength(2)
    // verifying can tell, or has told
    expect(choices(entry('vault'), entry('server', shorter))).toEqual([])
    expect(choices(entry('vault', both), entry('server', shorter))).toEqual([])
    expect(choices(entry('vault'), entry('server'))).toEqual([])
  })

  it('is no copy of what failed in a drill alone: all copies have that', () => {
    const drill = {
      ...proof('passed'),
      verdict: 'failed' as const,
      drill: { outcome: 'failed', startedAt: AT, checks: [] } as unknown as Proof['drill'],
    }
    expect(ways(entry('vault', { proof: drill }), entry('server'))).toEqual([])
  })
})
