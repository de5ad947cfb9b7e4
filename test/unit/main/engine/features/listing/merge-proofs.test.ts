import { readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { mergeProofs, whatFailed, withDrill } from '#engine/features/listing/merge-proofs.ts'
import { forgetKeptFolder, type ProofRecord, proofOf, readProofs, recordProof } from '#engine/features/listing/proof-store.ts'
import { openHome } from '#engine/foundation/home.ts'
import { openLocks } from '#engine/foundation/locks.ts'
import type { FileStat } from '#engine/foundation/repository/types.ts'
import type { LevelResult, Proof } from '#shared/model/backup.ts'
import type { DrillReport } from '#shared/model/drill.ts'
import { temporaryFolder } from '#test/support/home.ts'

const passed: LevelResult = { outcome: 'passed', reason: 'well' }
const failed: LevelResult = { outcome: 'failed', reason: 'its SHA-256 is not that of the index' }
const unknown: LevelResult = { outcome: 'unknown', reason: 'no password' }
const DAY = '2026-11-23T0'

/** A proof whose levels up to `tried` were looked at, the last one with this result. */
function proof(tried: 0 | 1 | 2, last: LevelResult = passed, hour = 1): Proof {
  const at = (level: number) => (level > tried ? null : level === tried ? last : passed)
  return {
    level: last.outcome === 'passed' ? tried : tried - 1,
    verdict: last.outcome === 'passed' ? 'verified' : last.outcome,
    verifiedAt: `${DAY}${hour}:00:00Z`,
    parts: [{ part: 'database', file: 'shop-1.sql.gz', levels: { L0: at(0), L1: at(1), L2: at(2) } }],
    drill: null,
  }
}
const drill = (outcome: DrillReport['outcome'], keptIn: string | null = null): DrillReport => ({
  outcome,
  startedAt: `${DAY}1:00:00Z`,
  recoverySeconds: 1,
  seconds: 2,
  server: 'PostgreSQL 18.4',
  tables: 1,
  rows: 1,
  checks: [
    { id: 'edges', name: 'Edges have both ends', outcome: outcome === 'failed' ? 'failed' : 'passed', finding: '1 lacks one' },
  ],
  rowCounts: { rsc: 1 },
  keptIn,
})

describe('a proof and a drill', () => {
  it('level 3 only when both are well; failed as soon as one is', () => {
    expect(withDrill(proof(2), drill('passed'))).toMatchObject({ level: 3, verdict: 'verified' })
    expect(withDrill(proof(2), drill('failed'))).toMatchObject({ level: 2, verdict: 'failed' })
    expect(withDrill(proof(2), drill('unknown'))).toMatchObject({ level: 2, verdict: 'verified' })
    expect(withDrill(proof(2, failed), drill('passed'))).toMatchObject({ level: 1, verdict: 'failed' })
    expect(withDrill(proof(2, unknown), drill('passed'))).toMatchObject({ level: 1, verdict: 'unknown' })
    expect(withDrill(proof(2), null)).toMatchObject({ level: 2, verdict: 'verified', drill: null })
  })

  it('says what failed', () => {
    expect(whatFailed(proof(1, failed))).toBe('shop-1.sql.gz: its SHA-256 is not that of the index')
    expect(whatFailed(withDrill(proof(2), drill('failed')))).toBe('Edges have both ends: 1 lacks one')
    expect(whatFailed(proof(2))).toBe('')
  })
})

describe('the same files, looked at again', () => {
  const drilled = withDrill(proof(2), drill('passed'))
  const broken = withDrill(proof(2), drill('failed'))
  it.each<[string, Proof, Proof, Partial<Proof>]>([
    [
      'a quick look leaves a drill',
      drilled,
      proof(1, passed, 5),
      { level: 3, verdict: 'verified', verifiedAt: `${DAY}1:00:00Z` },
    ],
    ['as close a look keeps the drill', drilled, proof(2, passed, 5), { level: 3, verifiedAt: `${DAY}5:00:00Z` }],
    ['no password leaves a drill', drilled, proof(2, unknown, 5), { level: 3, verdict: 'verified' }],
    ['damage counts, whatever was drilled', drilled, proof(1, failed, 5), { level: 0, verdict: 'failed' }],
    ['reading to the end does not make a failed drill good', broken, proof(2, passed, 5), { level: 2, verdict: 'failed' }],
    ['a good drill does', broken, withDrill(proof(2, passed, 5), drill('passed')), { level: 3, verdict: 'verified' }],
    ['a quick look does not make damage good', proof(2, failed), proof(1, passed, 5), { level: 1, verdict: 'failed' }],
    ['as close a look does', proof(2, failed), proof(2, passed, 5), { level: 2, verdict: 'verified' }],
    ['a closer look counts', proof(1), proof(2, passed, 5), { level: 2, verifiedAt: `${DAY}5:00:00Z` }],
    ['what was not known is known', proof(2, unknown), proof(2, passed, 5), { level: 2, verdict: 'verified' }],
    [
      'a drill that could not be made keeps the level',
      proof(2),
      withDrill(proof(2), drill('unknown')),
      { level: 2, verdict: 'verified' },
    ],
  ])('%s', (_what, old, next, expected) => {
    expect(mergeProofs(old, next)).toMatchObject(expected)
  })
})

describe('the store of proofs', () => {
  async function openStore() {
    const home = await openHome(await temporaryFolder())
    const log = { info() {}, warn() {}, error() {}, async flush() {} }
    return { home, log, locks: openLocks(home.locks, 'test') }
  }
  const record = (found: Proof, version = 'v1', timestamp = '2026-11-23T03:00:00Z'): Omit<ProofRecord, 'seconds'> => ({
    repository: 'vault',
    name: 'shop-1',
    timestamp,
    files: [{ file: 'shop-1.sql.gz', sha256: null, size: 10, version }],
    proof: found,
  })
  const files = (version: string) =>
    new Map<string, FileStat>([['shop-1.sql.gz', { name: 'shop-1.sql.gz', size: 10, version, modified: new Date(0) }]])
  const backup = { repository: 'vault' as const, name: 'shop-1', timestamp: '2026-11-23T03:00:00Z' }

  it('keeps a drill while the files stay, and remembers it when they go', async () => {
    const store = await openStore()
    await recordProof(store, 'shop', record(withDrill(proof(2), drill('passed'))), {
      bytes: 10,
      newest: null,
      report: drill('passed'),
    })
    await recordProof(store, 'shop', record(proof(1, passed, 5)))
    const kept = await readProofs(store, 'shop')
    expect(proofOf(kept.proofs, backup, files('v1'))).toMatchObject({ level: 3, drill: { outcome: 'passed' } })
    expect(proofOf(kept.proofs, backup, files('v2'))).toBeNull()
    // the same name, other files
    await recordProof(store, 'shop', record(proof(1, passed, 6), 'v2'))
    const replaced = await readProofs(store, 'shop')
    expect(proofOf(replaced.proofs, backup, files('v2'))).toMatchObject({ level: 1, drill: null })
    expect(replaced.drills).toMatchObject([{ name: 'shop-1', report: { rowCounts: { rsc: 1 } } }])
  })

  it('a backup of another moment has nothing of the one before it', async () => {
    const store = await openStore()
    await recordProof(store, 'shop', record(withDrill(proof(2), drill('failed'))))
    await recordProof(store, 'shop', record(proof(2), 'v1', '2026-11-30T03:00:00Z'))
    const { proofs } = await readProofs(store, 'shop')
    expect(proofs).toHaveLength(1)
    expect(proofs[0]?.proof).toMatchObject({ verdict: 'verified', drill: null })
  })

  it('forgets a scratch database that is gone, in proofs and drills', async () => {
    const store = await openStore()
    const report = drill('failed', '/scratch/drill-1')
    await recordProof(store, 'shop', record(withDrill(proof(2), report)), { bytes: 10, newest: null, report })
    await forgetKeptFolder(store, 'shop', '/scratch/another')
    expect((await readProofs(store, 'shop')).drills[0]?.report.keptIn).toBe('/scratch/drill-1')
    await forgetKeptFolder(store, 'shop', '/scratch/drill-1')
    const { proofs, drills } = await readProofs(store, 'shop')
    expect([proofs[0]?.proof.drill?.keptIn, drills[0]?.report.keptIn]).toEqual([null, null])
  })

  it('reads what was kept before there were drills', async () => {
    const store = await openStore()
    const { drill: _drill, ...old } = proof(2)
    await writeFile(
      join(store.home.proof, 'shop.json'),
      JSON.stringify({ version: 1, proofs: [{ ...record(proof(2)), proof: old }] }),
    )
    expect(proofOf((await readProofs(store, 'shop')).proofs, backup, files('v1'))).toMatchObject({ level: 2, drill: null })
    await recordProof(store, 'shop', record(proof(1, passed, 5)))
    expect(JSON.parse(await readFile(join(store.home.proof, 'shop.json'), 'utf8'))).toMatchObject({
      proofs: [{ proof: { level: 2 } }],
    })
  })
})
