/** A site as `zotonic status` lists it. */
export interface ListedSite {
  name: string
  /** `running`, `stopped`, `failed`, … */
  state: string
}

export interface ZotonicStatus {
  /** The Erlang node: `zotonic001@web1`; null: not told. */
  node: string | null
  sites: ListedSite[]
}

/** What `zotonic backup SITE start` said. */
export type BackupStart = 'started' | 'in-progress' | 'no-module' | 'refused'

const MAX_SITES = 1000

/** Sites of Zotonic's own, which hold nothing to back up. */
const OWN_SITES = new Set(['zotonic_site_status', 'zotonic_site_testsandbox'])

/** @returns null: it is no answer of this command */
export function readStatus(output: string): ZotonicStatus | null {
  const [head = '', list] = output.split(/^=+ *$/m)
  if (list === undefined) return null
  const node = /^Running: '?([^'\s]+)'?/m.exec(head)?.[1] ?? null
  const sites = list
    .split('\n')
    .map((line) => /^(\S+)\s+'?(\w+)'?\s*$/.exec(line))
    .filter((found) => found !== null)
    .map(([, name = '', state = '']) => ({ name, state }))
    .filter(({ name }) => !OWN_SITES.has(name))
  return { node, sites: sites.slice(0, MAX_SITES) }
}

/** @returns null: no path was printed */
export function readPath(output: string): string | null {
  const lines = output.split('\n').map((line) => line.trim())
  return lines.filter((line) => /^\/[^\0]*$/.test(line)).at(-1) ?? null
}

/** The command ends with 0 whatever became of it: its words tell. */
export function readBackupStart(output: string): BackupStart {
  if (/^Backup started for /m.test(output)) return 'started'
  if (/already a backup running/.test(output)) return 'in-progress'
  if (/module is not enabled/.test(output)) return 'no-module'
  return 'refused'
}

/** Whether `flush` or `restartsite` said `ok`, alone or as the last word of its line. */
export function saysOk(output: string): boolean {
  return /(?:^|\s)ok\s*$/.test(output.trimEnd())
}

const SECRET = /((?:pass(?:word|wd)?|secret|token|key)["'>\s]*(?:[:=,]|=>)\s*).*/i

/** What a command said, for people: its last lines, bounded, without what could be a secret. */
export function shownOutput(...outputs: string[]): string {
  const lines = outputs
    .join('\n')
    .split('\n')
    // control characters could write over what a terminal shows
    .map((line) => line.replace(/\p{Cc}/gu, '').trim())
    .filter((line) => line !== '')
    .map((line) => line.replace(SECRET, '$1…').slice(0, 300))
  return lines.slice(-8).join('\n').slice(-1200)
}
