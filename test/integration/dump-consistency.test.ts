import { tmpdir } from 'node:os'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, expect, test } from 'vitest'
import { openDatabaseDump } from '#engine/features/backup/database-dump.ts'
import { connectPostgres } from '#engine/foundation/connections/postgres.ts'
import { runSql } from '../support/dump.ts'
import { type Postgres15, startPostgres15 } from '../support/postgres.ts'

const LONG = 120_000
const WRITERS = 8
const ROWS = 20_000
let server: Postgres15

beforeAll(async () => {
  server = await startPostgres15()
  await server.createDatabase('bank')
  // what leaves one table arrives in the other, and each move is noted: "a" is dumped first, "z_moves" last
  await server.psql(
    'bank',
    `CREATE SCHEMA s; CREATE TABLE s.a (id integer PRIMARY KEY, amount integer NOT NULL, pad text);
     CREATE TABLE s.b (id integer PRIMARY KEY, amount integer NOT NULL, pad text);
     CREATE TABLE s.z_moves (id bigserial PRIMARY KEY, amount integer NOT NULL);
     INSERT INTO s.a SELECT n, 100, repeat('x', 500) FROM generate_series(1, ${ROWS}) n;
     INSERT INTO s.b SELECT n, 0, repeat('y', 500) FROM generate_series(1, ${ROWS}) n`,
  )
}, LONG)

afterAll(async () => {
  await server?.stop()
})

test.each(['built-in', 'pg_dump'] as const)(
  'a dump by %s, taken while eight writers move amounts, is one moment',
  async (engine) => {
    let writing = true
    let moves = 0
    const writers = Array.from({ length: WRITERS }, async () => {
      const client = await connectPostgres(server.connection('bank'))
      while (writing) {
        const id = 1 + Math.floor(Math.random() * ROWS)
        const amount = 1 + Math.floor(Math.random() * 50)
        await client.query(
          `BEGIN; UPDATE s.a SET amount = amount - ${amount} WHERE id = ${id}; INSERT INTO s.z_moves (amount) VALUES (${amount});
           UPDATE s.b SET amount = amount + ${amount} WHERE id = ${id}; COMMIT`,
        )
        moves += 1
      }
      await client.end()
    })
    await sleep(300)
    const { stream, choice } = await openDatabaseDump({
      connection: server.connection('bank'),
      schema: 's',
      engine,
      scratch: tmpdir(),
      signal: new AbortController().signal,
      onProgress: () => {},
    })
    expect(choice.engine).toBe(engine)
    const before = moves
    const chunks: Buffer[] = []
    for await (const chunk of stream) {
      chunks.push(chunk)
      // slow enough that much changes between the first and the last table
      if (chunks.length % 10 === 0) await sleep(20)
    }
    const during = moves - before
    writing = false
    await Promise.all(writers)
    expect(during).toBeGreaterThan(100)

    const copy = `copy_by_${engine}`
    await server.createDatabase(copy)
    await server.psql(copy, Buffer.concat(chunks).toString())
    const [sums] = await runSql(
      server.connection(copy),
      `SELECT (SELECT sum(amount) FROM s.a)::int AS a, (SELECT sum(amount) FROM s.b)::int AS b,
              (SELECT coalesce(sum(amount), 0) FROM s.z_moves)::int AS moved,
              (SELECT count(*) FROM s.a JOIN s.b USING (id) WHERE a.amount + b.amount <> 100)::int AS broken,
              (SELECT last_value >= (SELECT max(id) FROM s.z_moves) FROM s.z_moves_id_seq) AS ahead`,
    )
    expect(sums).toMatchObject({ broken: 0, ahead: true })
    expect(Number(sums?.a) + Number(sums?.b)).toBe(ROWS * 100)
    expect(sums?.moved).toBe(sums?.b)
    expect(Number(sums?.moved)).toBeGreaterThan(0)
  },
  LONG,
)
