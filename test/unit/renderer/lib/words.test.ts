import { describe, expect, it } from 'vitest'
import { drillOutcome } from '#renderer/lib/jobs.ts'
import { levelSummaries } from '#renderer/lib/levels.ts'
import { matchCommands } from '#renderer/lib/match-commands.ts'
import { firstNight, nextNightText } from '#renderer/lib/next-night.ts'
import { differenceText, sortTables, splitTables } from '#renderer/lib/plan-tables.ts'
import { drillText, siteProof } from '#renderer/lib/proof-text.ts'
import { ageState, filterSites, isInTrouble, sortByTrouble } from '#renderer/lib/protection.ts'
import type { SiteStatus } from '#shared/contract/backups.ts'
import type { DrillReport } from '#shared/model/drill.ts'

function status(site: string, protection: SiteStatus['protection']): SiteStatus {
  return {
    site,
    label: '',
    isDemo: false,
    protection,
    reason: `reason of ${site}`,
    newest: null,
    nights: [],
    sizes: [],
    copies: { vault: 'none', server: 'none', filestore: 'none' },
    encryption: 'none',
    drill: null,
    proof: { level: 0, at: null },
    checkedAt: '2026-11-23T09:41:00Z',
  }
}

describe('protection', () => {
  const sites = [
    status('b', 'protected'),
    status('c', 'ageing'),
    status('a', 'protected'),
    status('d', 'unprotected'),
    status('e', 'unknown'),
  ]

  it('puts trouble first, then names', () => {
    expect(sortByTrouble(sites).map(({ site }) => site)).toEqual(['d', 'c', 'e', 'a', 'b'])
    expect(sites.filter(isInTrouble).map(({ site }) => site)).toEqual(['c', 'd', 'e'])
  })

  it('filters by state and by any word of the row', () => {
    expect(filterSites(sites, 'protected', '').map(({ site }) => site)).toEqual(['b', 'a'])
    expect(filterSites(sites, 'all', 'REASON OF D').map(({ site }) => site)).toEqual(['d'])
  })

  it('turns an age at 26 and 50 hours', () => {
    expect([26 * 3600, 26 * 3600 + 1, 50 * 3600, 50 * 3600 + 1, null].map(ageState)).toEqual(['ok', 'warn', 'warn', 'bad', 'bad'])
  })
})

describe('levelSummaries', () => {
  it('lets the worst part speak for a level', () => {
    const passed = { outcome: 'passed' as const, reason: '' }
    const summaries = levelSummaries({
      level: 0,
      verdict: 'failed',
      verifiedAt: '2026-11-23T03:20:00.000Z',
      parts: [
        { part: 'config', file: 'c', levels: { L0: passed, L1: { outcome: 'unknown', reason: 'no hash recorded' }, L2: null } },
        { part: 'database', file: 'd', levels: { L0: passed, L1: { outcome: 'failed', reason: 'other hash' }, L2: null } },
      ],
      drill: null,
    })
    expect(summaries.map(({ outcome, reason }) => [outcome, reason])).toEqual([
      ['passed', ''],
      ['failed', 'd: other hash'],
      ['untried', ''],
      ['untried', ''],
    ])
    expect(levelSummaries(null).every(({ outcome }) => outcome === 'untried')).toBe(true)
  })
})

const REPORT: DrillReport = {
  outcome: 'passed',
  startedAt: '2026-11-21T03:20:00.000Z',
  recoverySeconds: 12,
  seconds: 15,
  server: 'PostgreSQL 18.4',
  tables: 41,
  rows: 1204,
  checks: [{ id: 'load', name: 'Load', outcome: 'passed', finding: '41 tables' }],
  rowCounts: {},
  keptIn: null,
}
const NO_END = { id: 'edges', name: 'Edges', outcome: 'failed' as const, finding: '2 edges have no end' }

describe('drills', () => {
  const proof = { level: 3, verdict: 'verified' as const, verifiedAt: '2026-11-23T03:20:00.000Z', parts: [] }

  it('are a level of their own, with the time it took and their own date', () => {
    expect(levelSummaries({ ...proof, drill: REPORT })[3]).toEqual({
      level: 'L3',
      text: 'Restored in a drill',
      outcome: 'passed',
      reason: 'Answers after 12 s',
      at: REPORT.startedAt,
    })
    const failed = levelSummaries({ ...proof, drill: { ...REPORT, outcome: 'failed', checks: [NO_END] } })[3]
    expect([failed?.outcome, failed?.reason]).toEqual(['failed', 'Edges: 2 edges have no end.'])
  })

  it('say in a line how they ended', () => {
    expect(drillOutcome(REPORT)).toBe('Restored in 12 s, every check passed')
    expect(drillOutcome({ ...REPORT, checks: [{ ...NO_END, outcome: 'warning' }] })).toBe('Restored in 12 s, 1 check to read')
    expect(drillOutcome({ ...REPORT, outcome: 'failed', recoverySeconds: null, checks: [NO_END] })).toBe(
      'Not restored; 1 check failed',
    )
  })

  it('turn amber in the site’s proof after 30 days, and red when they failed', () => {
    const now = new Date('2026-11-23T09:42:00Z')
    const site = { proof: { level: 2, at: '2026-11-23T03:20:00Z' }, drill: null }
    const drill = { ...REPORT, name: 'testsite-6', timestamp: '2026-11-21T03:01:00Z' }
    expect(siteProof(site, now)).toEqual({ level: 2, second: 'not drilled' })
    expect(siteProof({ ...site, drill }, now)).toEqual({ level: 2, second: 'drill 2 d ago' })
    expect(siteProof({ ...site, drill: { ...drill, startedAt: '2026-10-13T03:20:00.000Z' } }, now)).toEqual({
      level: 2,
      second: 'drill 41 d ago',
      tone: 'warn',
    })
    expect(siteProof({ ...site, drill: { ...drill, outcome: 'failed' } }, now).tone).toBe('bad')
    expect(drillText(drill)).toBe('Restored in 12 s on 21 Nov')
  })
})

describe('nights', () => {
  const state = {
    site: 'testsite',
    schedule: { enabled: true, at: '03:00', to: 'vault' as const, databaseOnly: false, proofMinutes: 20 },
    nextAt: '2026-11-24T03:02:00.000Z',
    runningJob: null,
    missed: null,
    last: null,
  }
  const now = new Date('2026-11-23T09:42:00Z')

  it('say when the next one comes', () => {
    expect(nextNightText(state, now)).toBe('Next: Tue 24 Nov 03:02 UTC, in 17 h')
    expect(nextNightText(state, new Date('2026-11-24T02:44:00Z'))).toBe('Next: 03:02 UTC, in 18 m')
    expect(nextNightText({ ...state, nextAt: null }, now)).toContain('Off')
  })

  it('name the first of all sites', () => {
    const other = { ...state, site: 'museum', nextAt: '2026-11-24T01:00:00.000Z' }
    expect(firstNight([state, other, { ...state, site: 'off', nextAt: null }])?.site).toBe('museum')
    expect(firstNight([{ ...state, nextAt: null }])).toBeNull()
  })
})

describe('plan tables', () => {
  it('says differences in words and signs', () => {
    expect([
      differenceText(10, 10),
      differenceText(12846, 12791),
      differenceText(1, 1500),
      differenceText(null, 3),
      differenceText(3, null),
    ]).toEqual(['same', '−55', '+1,499', 'new', 'goes'])
  })

  it('puts the tables that people know first, then those that change', () => {
    const tables = [
      { table: 'aaa', rowsNow: 1, rowsThen: 1 },
      { table: 'zzz', rowsNow: 1, rowsThen: 2 },
      { table: 'edge', rowsNow: 1, rowsThen: 1 },
      { table: 'rsc', rowsNow: 1, rowsThen: 1 },
    ]
    expect(sortTables(tables).map(({ table }) => table)).toEqual(['rsc', 'edge', 'zzz', 'aaa'])
    expect(splitTables(tables).same.map(({ table }) => table)).toEqual(['aaa'])
  })
})

describe('matchCommands', () => {
  const commands = ['All sites', 'testsite', 'Back up testsite now', 'Preferences'].map((title) => ({ title, group: 'Go to' }))

  it('wants every word and puts titles that start with it first', () => {
    expect(matchCommands(commands, 'test').map(({ title }) => title)).toEqual(['testsite', 'Back up testsite now'])
    expect(matchCommands(commands, 'up test').map(({ title }) => title)).toEqual(['Back up testsite now'])
    expect(matchCommands(commands, ' ')).toHaveLength(4)
    expect(matchCommands(commands, 'nothing')).toEqual([])
  })
})
