import { mkdir } from 'node:fs/promises'
import { homedir } from 'node:os'
import { join } from 'node:path'

/** The folders and files below the home folder (INTERFACES: home folder; docs/formats.md, "Home folder"). */
export interface Home {
  readonly root: string
  readonly settingsFile: string
  readonly secretsFile: string
  readonly knownHostsFile: string
  readonly sites: string
  readonly proof: string
  readonly jobs: string
  readonly nights: string
  readonly locks: string
  readonly logs: string
  readonly vaults: string
  readonly demo: string
  readonly scratch: string
  /** What is under way to filestores. */
  readonly transfers: string
}

/** Where the home folder is on this system: `BACKUP_DESK_HOME`, else the platform's place for application data. */
export function defaultHomePath(env: NodeJS.ProcessEnv = process.env, platform: NodeJS.Platform = process.platform): string {
  if (env.BACKUP_DESK_HOME) return env.BACKUP_DESK_HOME
  if (platform === 'darwin') return join(homedir(), 'Library', 'Application Support', 'Backup Desk')
  if (platform === 'win32') return join(env.LOCALAPPDATA ?? join(homedir(), 'AppData', 'Local'), 'Backup Desk')
  return join(env.XDG_DATA_HOME || join(homedir(), '.local', 'share'), 'backup-desk')
}

/** Names every place below a home folder; makes the folders (0700). */
export async function openHome(root: string): Promise<Home> {
  const home: Home = {
    root,
    settingsFile: join(root, 'settings.json'),
    secretsFile: join(root, 'secrets.json'),
    knownHostsFile: join(root, 'known_hosts'),
    sites: join(root, 'sites'),
    proof: join(root, 'proof'),
    jobs: join(root, 'jobs'),
    nights: join(root, 'nights'),
    locks: join(root, 'locks'),
    logs: join(root, 'logs'),
    vaults: join(root, 'backups'),
    demo: join(root, 'demo'),
    scratch: join(root, 'scratch'),
    transfers: join(root, 'transfers'),
  }
  await mkdir(root, { recursive: true, mode: 0o700 })
  for (const folder of [
    home.sites,
    home.proof,
    home.jobs,
    home.nights,
    home.locks,
    home.logs,
    home.vaults,
    home.scratch,
    home.transfers,
  ]) {
    await mkdir(folder, { recursive: true, mode: 0o700 })
  }
  return home
}
