import { execFile, spawn } from 'node:child_process'
import { stat } from 'node:fs/promises'
import { join } from 'node:path'
import { text } from 'node:stream/consumers'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import { type Postgres15, startPostgres15 } from '#test/support/postgres.ts'
import { type Bench, type BenchOptions, inTurns, type Measured, median } from './bench.ts'
import { makeBenchDatabase } from './dump-database.ts'

const BIN = process.env.POSTGRES15_BIN ?? '/usr/lib/postgresql/15/bin'
const CHILD = fileURLToPath(new URL('./load-child.ts', import.meta.url))
const MB = 1_000_000

interface ChildFacts {
  rows: number
  statements: number
  longestBlockMs: number
  cpuSeconds: number
  peakBytes: number
}

export const benches: Bench[] = [
  {
    name: 'load',
    against: 'gunzip -c FILE | psql -X -q -1',
    bound: { atMost: 1.1 },
    run: measureLoad,
  },
]

/** Both as processes of their own, from start to end, each time into an empty database of the same server. */
async function measureLoad({ isQuick, folder, say }: BenchOptions): Promise<Measured> {
  const server = await startPostgres15()
  const turns = isQuick ? 1 : 3
  try {
    say(`making a dump of about ${isQuick ? 50 : 450} MB`)
    const file = join(folder, 'bench.sql.gz')
    await makeBenchDatabase(server, 'bench', isQuick ? 0.1 : 0.9)
    await server.psql(
      'bench',
      `DELETE FROM site.edge WHERE greatest(subject_id, object_id) > (SELECT max(id) FROM site.rsc);
       ALTER TABLE site.edge ADD FOREIGN KEY (subject_id) REFERENCES site.rsc, ADD FOREIGN KEY (object_id) REFERENCES site.rsc`,
    )
    await server.pgDump('bench', ['--compress=7', '--quote-all-identifiers', '-n', 'site', '-f', file])
    await server.psql('postgres', 'DROP DATABASE bench')
    const names = Array.from({ length: 2 * turns + 1 }, (_, at) => `copy${at}`)
    for (const name of names) await server.createDatabase(name)
    const next = () => names.pop() ?? ''
    const runs: ChildFacts[] = []
    // the first run finds files and programs warm
    await loadByPsql(server, file, next())
    const seconds = await inTurns(
      turns,
      async () => {
        runs.push(await loadInChild(server, file, next()))
      },
      () => loadByPsql(server, file, next()),
    )
    await expectSame(server)
    const [first] = runs
    if (!first) throw new Error('nothing was measured')
    return {
      ...seconds,
      unit: 's',
      note:
        `file of ${Math.round((await stat(file)).size / MB)} MB, ${first.rows} rows, ${first.statements} statements. ` +
        `CPU of our process ${median(runs.map((run) => run.cpuSeconds)).toFixed(1)} s, its memory ${Math.round(median(runs.map((run) => run.peakBytes)) / MB)} MB at most; ` +
        `its event loop was blocked for at most ${Math.round(median(runs.map((run) => run.longestBlockMs)))} ms`,
    }
  } finally {
    await server.stop()
  }
}

/** The last of each left the same rows behind. */
async function expectSame(server: Postgres15): Promise<void> {
  const count = (name: string) =>
    server.psql(
      name,
      'SELECT count(*), sum(hashtext(t::text)) FROM site.edge t; SELECT count(*), sum(hashtext(t::text)) FROM site.rsc t',
    )
  if ((await count('copy0')) !== (await count('copy1'))) throw new Error('both ways do not give the same rows')
}

async function loadByPsql(server: Postgres15, file: string, database: string): Promise<void> {
  const env = {
    ...process.env,
    PGHOST: server.host,
    PGPORT: String(server.port),
    PGUSER: server.user,
    PGPASSWORD: server.password,
  }
  const shell = `set -e; gunzip -c "$1" | "$2" -X -q -1 -o /dev/null -d "$3"`
  await promisify(execFile)('sh', ['-c', shell, 'sh', file, join(BIN, 'psql'), database], { env })
}

async function loadInChild(server: Postgres15, file: string, database: string): Promise<ChildFacts> {
  const child = spawn(process.execPath, [CHILD], { stdio: ['pipe', 'pipe', 'inherit'] })
  const closed = new Promise<number | null>((resolve, reject) => {
    child.once('error', reject)
    child.once('close', resolve)
  })
  child.stdin.end(JSON.stringify({ connection: server.connection(database), schema: 'site', file }))
  const printed = await text(child.stdout)
  const code = await closed
  if (code !== 0) throw new Error(`our process ended with ${code}`)
  return JSON.parse(printed) as ChildFacts
}
