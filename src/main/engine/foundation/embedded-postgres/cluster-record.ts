import { readlinkSync } from 'node:fs'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { writeFileAtomic } from '../files/atomic.ts'
import { identityOf, isAlive, type ProcessIdentity } from '../process-identity.ts'

const identitySchema = z.object({ pid: z.int().positive(), start: z.string().nullable() })

/** `cluster.json` in a cluster's folder: whose it is, where it runs. Written before anything else is made. */
const clusterRecordSchema = z.object({
  version: z.literal(1),
  /** `kept`: a scratch cluster that is kept for somebody to look at; nothing but its maker removes it. */
  purpose: z.enum(['demo', 'scratch', 'kept']),
  /** The program that made it start: 'window' or 'zbd'; stays when another adopts it. */
  startedBy: z.string(),
  owner: identitySchema,
  /** Holds `data`; elsewhere than the cluster's folder only for root. */
  runFolder: z.string(),
  /** False until initdb has ended well. */
  isMade: z.boolean(),
  postmaster: identitySchema.nullable(),
  port: z.int().min(1).max(65535).nullable(),
})

export type ClusterRecord = z.infer<typeof clusterRecordSchema>

/** null: there is none, or it can't be read. */
export async function readClusterRecord(folder: string): Promise<ClusterRecord | null> {
  try {
    return clusterRecordSchema.parse(JSON.parse(await readFile(join(folder, 'cluster.json'), 'utf8')))
  } catch {
    return null
  }
}

export async function writeClusterRecord(folder: string, record: ClusterRecord): Promise<void> {
  await writeFileAtomic(join(folder, 'cluster.json'), `${JSON.stringify(record, null, 2)}\n`)
}

/** What the server wrote about itself; null: it does not run, or not yet. */
export async function readPostmasterFile(record: ClusterRecord): Promise<{ pid: number; isReady: boolean } | null> {
  const text = await readFile(join(record.runFolder, 'data', 'postmaster.pid'), 'utf8').catch(() => null)
  const lines = text?.split('\n') ?? []
  const pid = Number(lines[0])
  return Number.isInteger(pid) && pid > 1 ? { pid, isReady: lines[7]?.trim() === 'ready' } : null
}

/**
 * The running server of a cluster, or null. Never another process that got the same pid: before a signal is sent, its
 * start time, or its working folder (a server works in its data folder), must fit.
 */
export async function runningPostmaster(record: ClusterRecord): Promise<ProcessIdentity | null> {
  const written = await readPostmasterFile(record)
  if (record.postmaster && isAlive(record.postmaster)) {
    if (record.postmaster.start !== null || written?.pid === record.postmaster.pid) return record.postmaster
  }
  // its starter may have died before it could note the server down
  return written && worksIn(written.pid, join(record.runFolder, 'data')) ? identityOf(written.pid) : null
}

function worksIn(pid: number, folder: string): boolean {
  try {
    return readlinkSync(`/proc/${pid}/cwd`) === folder
  } catch {
    return false
  }
}
