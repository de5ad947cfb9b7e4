import { rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { startPostgres15 } from '#test/support/postgres.ts'
import { type Bench, type BenchOptions, inTurns, type Measured, median } from './bench.ts'
import { makeBenchDatabase } from './dump-database.ts'
import { type DumpFacts, dumpInChild } from './dump-in-child.ts'

const PG_DUMP = join(process.env.POSTGRES15_BIN ?? '/usr/lib/postgresql/15/bin', 'pg_dump')
const LEVEL = 7
const MB = 1_000_000

export const benches: Bench[] = [
  {
    name: 'dump',
    against: 'pg_dump --compress=7 --quote-all-identifiers -n SCHEMA -f FILE',
    bound: { atMost: 0.65 },
    run: measureDump,
  },
]

/** Both as processes of their own, from start to end, into a file on the same disk. */
async function measureDump({ isQuick, folder, say }: BenchOptions): Promise<Measured> {
  const server = await startPostgres15()
  try {
    say(`making a database of about ${isQuick ? 60 : 600} MB`)
    await makeBenchDatabase(server, 'bench', isQuick ? 0.1 : 1)
    const size = Number(await server.psql('bench', `SELECT pg_database_size('bench')`))
    const ourFile = join(folder, 'ours.sql.gz')
    const theirFile = join(folder, 'theirs.sql.gz')
    const order = {
      connection: server.connection('bench'),
      schema: 'site',
      engine: 'built-in',
      compression: LEVEL,
      isChecked: false,
    } as const
    const runs: DumpFacts[] = []
    const ours = async () => {
      await rm(ourFile, { force: true })
      runs.push(await dumpInChild({ ...order, file: ourFile }))
    }
    const theirs = async () => {
      await rm(theirFile, { force: true })
      await server.pgDump('bench', [`--compress=${LEVEL}`, '--quote-all-identifiers', '-n', 'site', '-f', theirFile])
    }
    // the first run of each finds files and programs warm
    await dumpInChild({ ...order, file: join(folder, 'warm.sql.gz') })
    const seconds = await inTurns(isQuick ? 1 : 3, ours, theirs)
    await rm(ourFile, { force: true })
    const checked = await dumpInChild({ ...order, file: ourFile, isChecked: true })
    const [first] = runs
    if (!first) throw new Error('nothing was measured')
    const theirSize = (await stat(theirFile)).size
    const peak = median(runs.map((run) => run.peakBytes))
    const start = median(runs.map((run) => run.startBytes))
    return {
      ...seconds,
      unit: 's',
      note:
        `database of ${Math.round(size / MB)} MB, script of ${Math.round(first.plainSize / MB)} MB; files: ours ${Math.round(first.size / MB)} MB, ` +
        `theirs ${Math.round(theirSize / MB)} MB. ${PG_DUMP}. CPU of our process ${median(runs.map((run) => run.cpuSeconds)).toFixed(1)} s; ` +
        `its memory ${Math.round(peak / MB)} MB at most, ${Math.round(start / MB)} MB before the dump. ` +
        `Not in it: reading our file back to its end, which every backup does besides, ${checked.checkSeconds.toFixed(1)} s`,
    }
  } finally {
    await server.stop()
  }
}
