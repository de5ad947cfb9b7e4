import { expect, test } from 'vitest'
import { drawSvg } from '#engine/features/demo/media/documents.ts'
import { DOCUMENTS, DRAWINGS, makeUploads } from '#engine/features/demo/media/uploads.ts'
import { encryptionStart, keptNights } from '#engine/features/demo/story/nights.ts'
import { liveUntil, tellStory } from '#engine/features/demo/story/tell.ts'
import { schemeOf, slotOf } from '#shared/rotation.ts'

const uploads = await makeUploads(new AbortController().signal, () => {})

/** Every hour of some days, ends of months and years, a leap day, the switch of slots. */
const MOMENTS = [
  ...Array.from({ length: 24 }, (_, hour) => new Date(Date.UTC(2026, 10, 22, hour, 17))),
  ...Array.from({ length: 14 }, (_, day) => new Date(Date.UTC(2027, 0, 1 + day, 9 + day, 3, 59))),
  new Date('2028-02-29T03:00:30Z'),
  new Date('2028-03-01T23:59:59Z'),
  new Date('2026-12-31T00:00:00Z'),
]

test.each(MOMENTS)('nights kept at %s: six of the week, three Sundays, by the server’s scheme', (now) => {
  const nights = keptNights(now)
  expect(nights).toHaveLength(9)
  expect(nights.filter(({ name }) => /-w\d$/.test(name))).toHaveLength(3)
  expect(schemeOf(nights.map(({ name, at }) => ({ slot: slotOf('demo', name), timestamp: at })))).toBe('server')
  expect(new Set(nights.map(({ name }) => name)).size).toBe(9)
  for (const [index, { at }] of nights.entries()) {
    expect(at.getTime()).toBeGreaterThan(nights[index - 1]?.at.getTime() ?? 0)
    expect(at.getTime()).toBeLessThan(now.getTime())
  }
  const newest = nights.at(-1)!
  expect(now.getTime() - newest.at.getTime()).toBeLessThan(24 * 3_600_000 + 6 * 60_000)
  expect(newest).toMatchObject({ isEncrypted: true, databaseOnly: false })
  expect(nights.map(({ isEncrypted }) => isEncrypted)).toEqual([...new Array(6).fill(false), true, true, true])
})

test.each(MOMENTS.filter((_, index) => index % 4 === 0 || index > 37))('the story can be lived through at %s', async (now) => {
  const nights = keptNights(now)
  const story = tellStory(now, uploads, { since: encryptionStart(nights), password: 'x' })
  let revisions = 0
  let gone = 0
  const sizes: number[] = []
  for (const night of [...nights, null]) {
    await liveUntil(story, night?.at ?? now, night)
    const changes = story.history.takeChanges()
    revisions += changes.rows.backup_revision.length
    gone += changes.rows.rsc_gone.length
    for (const row of Object.values(changes.rows).flat()) {
      const moment = (row.created ?? row.timestamp ?? row.deleted) as Date | undefined
      if (moment) expect(moment.getTime()).toBeLessThanOrEqual(now.getTime())
    }
    sizes.push(story.history.resources.size)
  }
  expect(sizes.at(-1)).toBeGreaterThan(165)
  expect(sizes[0]!).toBeLessThan(sizes.at(-1)!)
  expect(revisions).toBeGreaterThan(250)
  expect(gone).toBeGreaterThanOrEqual(6)
  for (const edge of story.history.edges.values()) {
    expect(story.history.resources.has(edge.subjectId) && story.history.resources.has(edge.objectId)).toBe(true)
  }
})

test('the files are the same every time, and are what they say', async () => {
  const again = await makeUploads(new AbortController().signal, () => {})
  for (const [key, { bytes, mime, width }] of uploads) {
    expect(again.get(key)?.bytes.equals(bytes), key).toBe(true)
    const start = bytes.subarray(0, 8).toString('latin1')
    if (mime === 'image/png') {
      expect(start).toBe('\x89PNG\r\n\x1a\n')
      expect(bytes.readUInt32BE(16)).toBe(width)
    } else expect(start).toMatch(mime === 'application/pdf' ? /^%PDF-1\.4/ : /^<\?xml/)
  }
  expect(uploads.size).toBeGreaterThan(DOCUMENTS.length + DRAWINGS.length + 45)
  expect(drawSvg('a < b & c', 1).toString()).toContain('a &lt; b &amp; c')
})

test('making files can be cancelled', async () => {
  await expect(makeUploads(AbortSignal.abort(), () => {})).rejects.toThrow()
})
