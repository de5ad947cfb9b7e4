import { chmod, mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { POSTGRES_TEMPLATE } from './postgres.ts'

/** Before and after a run of tests: a folder for the cluster that all others are copies of. The first to need one makes it. */
export async function setup(): Promise<() => Promise<void>> {
  const folder = await mkdtemp(join(tmpdir(), 'backup-desk-pg15-template-'))
  // what lies in it belongs to the user of PostgreSQL
  await chmod(folder, 0o711)
  process.env[POSTGRES_TEMPLATE] = folder
  return () => rm(folder, { recursive: true, force: true })
}
