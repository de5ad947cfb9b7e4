import { execFile } from 'node:child_process'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { Writable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { promisify } from 'node:util'
import { expect, test } from 'vitest'
import { dumpSchema } from '#engine/features/backup/dump/index.ts'
import { watchTurns } from '#test/support/turns.ts'
import { makeBenchDatabase } from '../bench/dump-database.ts'
import { dumpInChild } from '../bench/dump-in-child.ts'
import { startPostgres15 } from '../support/postgres.ts'

const isHeavy = process.env.HEAVY === '1'
if (!isHeavy) console.warn('The dumps of 300 and 600 MB are skipped: they take minutes. Set HEAVY=1 to run them.')

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
      const turns = watchTurns({ usage: process.cpuUsage })
      let bytes = 0
      const nowhere = new Writable({
        write(chunk: Buffer, _encoding, done) {
          bytes += chunk.length
          done()
        },
      })
      await pipeline(stream, nowhere)
      const { longest, grown } = turns.stop()
      const seconds = (performance.now() - started) / 1000
      console.log(
        `dump of ${Math.round(bytes / MB)} MB: ${seconds.toFixed(1)} s (pg_dump ${pgDumpSeconds.toFixed(1)} s), memory +${Math.round(grown / MB)} MB, ` +
          `longest block ${longest.toFixed(0)} ms of computing`,
      )
      expect(bytes).toBeGreaterThan(300 * MB)
      expect(grown).toBeLessThan(100 * MB)
      expect(longest).toBeLessThan(50)
    } finally {
      await server.stop()
    }
  },
  300_000,
)

test.skipIf(!isHeavy).each(['built-in', 'pg_dump'] as const)(
  'the whole path of 600 MB by %s, to a compressed file, keeps memory flat',
  async (engine) => {
    const server = await startPostgres15()
    const folder = await mkdtemp(join(tmpdir(), 'backup-desk-heavy-'))
    try {
      await makeBenchDatabase(server, 'bench', 1)
      const file = join(folder, 'bench.sql.gz')
      const facts = await dumpInChild({
        connection: server.connection('bench'),
        schema: 'site',
        engine,
        file,
        compression: 7,
        isChecked: true,
      })
      console.log(
        `${engine}: ${Math.round(facts.plainSize / MB)} MB, memory ${Math.round(facts.startBytes / MB)} MB before and ${Math.round(facts.peakBytes / MB)} MB at most`,
      )
      expect(facts.plainSize).toBeGreaterThan(600 * MB)
      expect(facts.peakBytes - facts.startBytes).toBeLessThan(120 * MB)
      await promisify(execFile)('gunzip', ['-t', file])
    } finally {
      await server.stop()
      await rm(folder, { recursive: true, force: true })
    }
  },
  600_000,
)
