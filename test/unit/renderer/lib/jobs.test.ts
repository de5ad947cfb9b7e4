import { describe, expect, it } from 'vitest'
import { fraction, jobBarSubject, outcomeText, phaseText, timeLeftText, tookSeconds } from '#renderer/lib/jobs.ts'
import type { Job, JobPhase } from '#shared/model/job.ts'

const phase: JobPhase = { name: 'Media files', done: 842e6, total: 1.35e9, unit: 'bytes', rate: 61e6, secondsLeft: 8 }

function job(change: Partial<Job>): Job {
  return {
    id: 'a',
    kind: 'backup',
    title: 'Backing up testsite',
    site: 'testsite',
    state: 'running',
    createdAt: '2026-11-23T09:00:00.000Z',
    startedAt: '2026-11-23T09:00:00.000Z',
    endedAt: null,
    phase: null,
    items: [],
    question: null,
    holds: [],
    result: null,
    error: null,
    program: 'window',
    seen: false,
    ...change,
  }
}

describe('jobBarSubject', () => {
  const failed = job({ id: 'f', state: 'failed' })

  it('shows what runs, and counts what waits', () => {
    const subject = jobBarSubject([
      job({ id: 'q', state: 'queued', createdAt: '2026-11-23T08:00:00.000Z' }),
      job({ id: 'r' }),
      failed,
    ])
    expect([subject?.job.id, subject?.queued]).toEqual(['r', 1])
  })

  it('keeps a failure until it was looked at', () => {
    expect(jobBarSubject([failed])?.job.id).toBe('f')
    expect(jobBarSubject([{ ...failed, seen: true }])).toBeNull()
    expect(jobBarSubject([job({ state: 'done' })])).toBeNull()
  })
})

describe('texts', () => {
  it('gives amount, rate and time left', () => {
    expect(phaseText(phase)).toBe('Media files · 842 MB of 1.35 GB · 61.0 MB/s')
    expect(timeLeftText(phase)).toBe('8 s left')
    expect(timeLeftText({ ...phase, secondsLeft: null })).toBe('')
  })

  it('makes up no fraction where the length is not known', () => {
    expect(fraction(5, null)).toBeNull()
    expect(fraction(5, 0)).toBeNull()
    expect(fraction(12, 10)).toBe(1)
  })

  it('counts a running job up to now and an ended one to its end', () => {
    const now = new Date('2026-11-23T09:00:30.000Z')
    expect(tookSeconds(job({}), now)).toBe(30)
    expect(tookSeconds(job({ state: 'done', endedAt: '2026-11-23T09:00:10.000Z' }), now)).toBe(10)
    expect(tookSeconds(job({ state: 'queued', startedAt: null }), now)).toBeNull()
    expect(tookSeconds(job({ state: 'interrupted', endedAt: null }), now)).toBeNull()
  })

  it('says how a job ended', () => {
    expect(outcomeText(job({ state: 'done', endedAt: '2026-11-23T09:00:10.000Z' }))).toBe('Done in 10 s')
    expect(outcomeText(job({ state: 'failed', error: { code: 'x', message: 'The disk is full.', hint: '', details: {} } }))).toBe(
      'The disk is full.',
    )
    expect(outcomeText(job({ state: 'interrupted' }))).toContain('program ended')
    expect(outcomeText(job({ state: 'waiting', question: 'Which password?' }))).toBe('Which password?')
  })
})
