import { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { expect, test } from 'vitest'
import { dumpSchema } from '#engine/features/backup/dump/index.ts'
import { startPostgres15 } from '../support/postgres.ts'

const isHeavy = process.env.HEAVY === '1'
if (!isHeavy) console.warn('The dump of 300 MB is skipped: it takes a minute. Set HEAVY=1 to run it.')

const MB = 1_000_000

test.skipIf(!isHeavy)(
  'dumping 300 MB keeps memory flat and never holds up the event loop',
  async () => {
    const server = await startPostgres15()
    try {
      await server.createDatabase('heavy')
      await server.psql(
        'heavy',
        `CREATE SCHEMA s; CREATE TABLE s.narrow (id integer, a text, b timestamptz, c boolean);
         INSERT INTO s.narrow SELECT n, md5(n::text), now(), true FROM generate_series(1, 2000000) n;
         CREATE TABLE s.wide (id integer, b bytea); INSERT INTO s.wide SELECT n, decode(repeat(md5(n::text), 1500), 'hex') FROM generate_series(1, 3000) n;
         CREATE TABLE s.one_value (t text); INSERT INTO s.one_value VALUES (repeat('0123456789', 5000000))`,
      )
      const pgDumpStarted = performance.now()
      const theirs = (await server.pgDump('heavy', ['-n', 's', '--quote-all-identifiers', '-f', '/dev/null'])).length
      const pgDumpSeconds = (performance.now() - pgDumpStarted) / 1000
      expect(theirs).toBe(0)

      const started = performance.now()
      const { stream } = await dumpSchema({ connection: server.connection('heavy'), schema: 's' })
      const before = process.memoryUsage().rss
      let highest = before
      // how much this process computed between two turns of the timer: wall time would blame the neighbours
      let longest = 0
      let last = process.cpuUsage()
      const sampler = setInterval(() => {
        const used = process.cpuUsage(last)
        last = process.cpuUsage()
        longest = Math.max(longest, (used.user + used.system) / 1000)
        highest = Math.max(highest, process.memoryUsage.rss())
      }, 5)
      let bytes = 0
      const nowhere = new Writable({
        write(chunk: Buffer, _encoding, done) {
          bytes += chunk.length
          done()
        },
      })
      await pipeline(stream, nowhere)
      clearInterval(sampler)
      const seconds = (performance.now() - started) / 1000
      console.log(
        `dump of ${Math.round(bytes / MB)} MB: ${seconds.toFixed(1)} s (pg_dump ${pgDumpSeconds.toFixed(1)} s), memory +${Math.round((highest - before) / MB)} MB, ` +
          `longest block ${longest.toFixed(0)} ms of computing`,
      )
      expect(bytes).toBeGreaterThan(300 * MB)
      expect(highest - before).toBeLessThan(100 * MB)
      expect(longest).toBeLessThan(50)
    } finally {
      await server.stop()
    }
  },
  300_000,
)
