import { describe, expect, it } from 'vitest'
import type { DrillRecord, ProofRecord } from '#engine/features/listing/index.ts'
import { estimatesBy } from '#engine/features/proof/estimates.ts'
import type { RepositoryName } from '#shared/model/backup.ts'
import { siteSchema } from '#shared/model/site.ts'

const folders = { siteDir: '/s', filesDir: '/f', securityDir: '/c' }
const base = { name: 'shop', database: { database: 'x', schema: 'shop', user: 'x' } }
const local = siteSchema.parse({ ...base, server: { kind: 'folder', ...folders } })
const remote = siteSchema.parse({ ...base, server: { kind: 'ssh', ssh: { host: 'web1.example.org' }, ...folders } })

const about = (repository: RepositoryName) => ({ repository, name: 'shop-1', timestamp: '2026-11-23T03:00:00Z' })
function proof(repository: RepositoryName, bytes: number, seconds: number): ProofRecord {
  const files = [{ file: 'shop-1.sql.gz', sha256: null, size: bytes, version: '1' }]
  return {
    ...about(repository),
    files,
    seconds,
    proof: { level: 2, verdict: 'verified', verifiedAt: '2026-11-23T04:00:00Z', parts: [], drill: null },
  }
}
function drill(repository: RepositoryName, bytes: number, seconds: number): DrillRecord {
  const report = {
    outcome: 'passed',
    startedAt: '2026-11-23T04:00:00Z',
    recoverySeconds: 1,
    seconds,
    server: '',
    tables: 0,
  } as const
  return { ...about(repository), bytes, newest: null, report: { ...report, rows: 0, checks: [], rowCounts: {}, keptIn: null } }
}
const MB = 1_000_000

describe('estimatesBy', () => {
  it('goes by what it took in the same place: a disk tells nothing of a line', () => {
    const estimate = estimatesBy(remote, [proof('vault', 100 * MB, 4), proof('server', 100 * MB, 60)], [])
    expect(estimate('vault', 100 * MB).verifySeconds).toBe(4)
    expect(estimate('server', 100 * MB).verifySeconds).toBe(60)
    expect(estimate('server', 300 * MB).verifySeconds).toBe(180)
    // nothing came from there yet: a slow line is expected
    expect(estimate('filestore', 100 * MB).verifySeconds).toBeGreaterThan(50)
  })

  it('takes the folder of a server on this computer for the disk that it is', () => {
    const estimate = estimatesBy(local, [proof('server', 100 * MB, 4)], [drill('vault', 100 * MB, 20)])
    expect(estimate('vault', 100 * MB)).toEqual({ verifySeconds: 4, drillSeconds: 20 })
    expect(estimate('server', 100 * MB)).toEqual({ verifySeconds: 4, drillSeconds: 20 })
  })

  it('counts the way to here once: what a drill reads is here by then', () => {
    const estimate = estimatesBy(remote, [proof('server', 100 * MB, 60)], [drill('vault', 100 * MB, 20)])
    expect(estimate('server', 100 * MB)).toEqual({ verifySeconds: 60, drillSeconds: 20 })
  })
})
