import { isJobActive, type Job, type JobItem } from '#shared/model/job.ts'

/** One file on the Decrypt page: an item of a decrypt job, with its facts read defensively. */
export interface DecryptRow {
  key: string
  jobId: string
  item: JobItem
  path: string
  file: string
  output: string | null
  outputFile: string | null
  size: number | null
  passwordSource: string
  /** Which passwords did not fit, in words. */
  tried: string
  hint: string
  /** What the row offers. */
  state: 'waiting' | 'running' | 'done' | 'needs-password' | 'output-exists' | 'refused' | 'failed' | 'skipped' | 'cancelled'
  site: string | null
}

function text(value: unknown): string | null {
  return typeof value === 'string' && value !== '' ? value : null
}

export function baseName(path: string): string {
  return path.split(/[\\/]/).pop() ?? path
}

export function folderOf(path: string): string {
  const base = baseName(path)
  return path.slice(0, Math.max(1, path.length - base.length - 1))
}

/** The rows of several decrypt jobs, in the order the files came; a later try of a file takes the earlier one's place. */
export function decryptRows(jobs: readonly Job[]): DecryptRow[] {
  const rows = new Map<string, DecryptRow>()
  const oldestFirst = jobs.filter((job) => job.kind === 'decrypt').sort((a, b) => a.createdAt.localeCompare(b.createdAt))
  for (const job of oldestFirst) {
    for (const item of job.items) {
      const row = toRow(job, item)
      rows.set(row.path, row)
    }
  }
  return [...rows.values()]
}

function toRow(job: Job, item: JobItem): DecryptRow {
  const path = text(item.facts.path) ?? item.name
  const output = text(item.facts.output)
  return {
    key: `${job.id}/${item.id}`,
    jobId: job.id,
    item,
    path,
    file: baseName(item.name),
    output,
    outputFile: output === null ? null : baseName(output),
    size: typeof item.facts.size === 'number' ? item.facts.size : item.total,
    passwordSource: text(item.facts.passwordSource) ?? '',
    tried: text(item.facts.tried) ?? '',
    hint: text(item.facts.hint) ?? '',
    state: rowState(job, item),
    site: text(item.facts.site) ?? siteOfFile(baseName(item.name)),
  }
}

function rowState(job: Job, item: JobItem): DecryptRow['state'] {
  if (!isJobActive(job) && (item.state === 'waiting' || item.state === 'running' || item.state === 'needs-password'))
    return 'cancelled'
  if ((item.state === 'failed' || item.state === 'refused') && item.facts.code === 'output-exists') return 'output-exists'
  return item.state
}

/** The site in a Zotonic backup file's name: `nieuws-w3.sql.gz.enc`, `config-nieuws-w3.tar.gz.enc`. */
export function siteOfFile(file: string): string | null {
  const match = /^(?:config-)?([a-z][a-z0-9_-]{0,62})-(?:[1-7]|w[0-4])\.(?:sql|tar)\.gz(?:\.enc)?$/.exec(file)
  return match?.[1] ?? null
}

export interface DecryptTotals {
  files: number
  done: number
  running: number
  waiting: number
  needsPassword: number
  refused: number
  failed: number
  bytesDone: number
  bytesTotal: number
}

export function decryptTotals(rows: readonly DecryptRow[]): DecryptTotals {
  const totals: DecryptTotals = {
    files: rows.length,
    done: 0,
    running: 0,
    waiting: 0,
    needsPassword: 0,
    refused: 0,
    failed: 0,
    bytesDone: 0,
    bytesTotal: 0,
  }
  for (const row of rows) {
    if (row.state === 'done') totals.done += 1
    else if (row.state === 'running') totals.running += 1
    else if (row.state === 'waiting') totals.waiting += 1
    else if (row.state === 'needs-password') totals.needsPassword += 1
    else if (row.state === 'refused' || row.state === 'output-exists') totals.refused += 1
    else if (row.state === 'failed') totals.failed += 1
    const counts = row.state === 'done' || row.state === 'running' || row.state === 'waiting'
    if (counts) {
      const size = row.size ?? row.item.total ?? 0
      totals.bytesTotal += size
      totals.bytesDone += row.state === 'done' ? size : Math.min(size, row.item.done)
    }
  }
  return totals
}
