import { execFile } from 'node:child_process'
import { promisify } from 'node:util'
import { afterAll, beforeAll, expect, it } from 'vitest'
import { databaseArgument } from '#engine/foundation/connections/ssh/postgres-programs.ts'
import { type Postgres15, startPostgres15 } from '#test/support/postgres.ts'

const run = promisify(execFile)
let postgres: Postgres15

beforeAll(async () => {
  postgres = await startPostgres15()
})
afterAll(() => postgres?.stop())

it.each([
  'testsite',
  'a b',
  `it's`,
  'back\\slash',
  'host=elsewhere.example',
  'postgresql://elsewhere.example/x',
  `x' host='elsewhere`,
])('names the database %j to a program of PostgreSQL, and nothing else', async (name) => {
  await postgres.psql('postgres', `CREATE DATABASE "${name}";`)
  const { host, port, user, password } = postgres
  const where = [`--host=${host}`, `--port=${port}`, `--username=${user}`, databaseArgument(name)]
  const asked = ['--no-psqlrc', '--no-align', '--tuples-only', '--command=SELECT current_database()']
  const { stdout } = await run('psql', [...where, ...asked], { env: { ...process.env, PGPASSWORD: password } })
  expect(stdout.trim()).toBe(name)
})
