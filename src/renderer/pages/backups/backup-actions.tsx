import {
  IconCloudDownload,
  IconCopy,
  IconFlask,
  IconPin,
  IconRefresh,
  IconRestore,
  IconShieldCheck,
  IconTrash,
} from '@tabler/icons-react'
import type { ReactNode } from 'react'
import type { RepositoryName } from '#shared/model/backup.ts'
import { isJobActive, type Job, type JobKind } from '#shared/model/job.ts'
import type { Command } from '../../commands.ts'
import { icon16 } from '../../components/icons.tsx'
import { fetchBackup } from '../../lib/fetch-backup.ts'
import type { BackupRow } from '../../lib/join-backups.ts'
import { type Mending, mendings, rivals } from '../../lib/mending.ts'
import { showError } from '../../lib/show-error.ts'
import { transferCommand } from '../../lib/transfer-choice.ts'
import { copyTargets, fetchSource } from '../../lib/transfers.ts'
import { callUnlocking } from '../../queries.ts'
import { navigate } from '../../stores/ui.ts'

/** Something that can be done with a chosen backup: a row of the inspector, a key, a line of palette and menu. */
export interface BackupAction extends Command {
  label: string
  icon: ReactNode
  /** One letter, or `Del`; acts outside of fields. */
  keys: string
  /** The same from a terminal. */
  zbd: string
  isDangerous: boolean
  isRunning: boolean
}

const DOING: Partial<Record<JobKind, string>> = {
  verify: 'verifying',
  drill: 'drilling',
  pin: 'pinning',
  'remove-backup': 'deleting',
  'transfer-plan': 'comparing',
  transfer: 'copying',
}

/** Jobs that this window started, by the backup they are about: two backups of one slot have one name. */
const startedHere = new Map<string, string>()

/** What is being done with a backup just now, in a word. Jobs of other programs name their backup in the title only. */
export function doingWith(row: BackupRow, jobs: readonly Job[]): { kind: JobKind; word: string } | null {
  const job = jobs.find((candidate) => isJobActive(candidate) && isAbout(candidate, row))
  const word = job && DOING[job.kind]
  return job && word !== undefined ? { kind: job.kind, word: job.state === 'queued' ? 'queued' : word } : null
}

function isAbout(job: Job, row: BackupRow): boolean {
  const key = startedHere.get(job.id)
  if (key !== undefined) return key === row.key
  return DOING[job.kind] !== undefined && job.title.split(/[\s,]+/).includes(row.name)
}

/**
 * Pinned and safety backups stand in the vault alone, outside of the rotation; only they can be deleted.
 * @param repositories those of the site
 */
export function backupActions(
  site: string,
  row: BackupRow,
  repositories: readonly RepositoryName[],
  jobs: readonly Job[],
): BackupAction[] {
  const { name, timestamp } = row
  const doing = doingWith(row, jobs)?.kind ?? null
  const make = (
    kind: JobKind,
    action: Pick<BackupAction, 'id' | 'label' | 'icon' | 'keys' | 'zbd'> & { title: string; run(): void },
  ): BackupAction => ({
    ...action,
    group: 'Actions',
    isDangerous: kind === 'remove-backup',
    isRunning: doing === kind || (kind === 'transfer' && doing === 'transfer-plan'),
  })
  const source = fetchSource(row)
  const targets = copyTargets(row, repositories)
  const mending = mendings(row)[0]
  const isOutside = row.kind === 'pinned' || row.kind === 'safety'
  return [
    ...(source === null
      ? []
      : [
          make('transfer', {
            id: 'backup-fetch',
            label: doing === 'transfer' || doing === 'transfer-plan' ? 'Fetching' : 'Fetch',
            title: `Fetch ${name} into the vault`,
            icon: <IconCloudDownload {...icon16} />,
            keys: 'F',
            zbd: transferCommand({ site, backup: row }, { from: source, to: 'vault', deleteOthers: false }, false),
            run: () => void fetchBackup(site, row, source, (jobId) => startedHere.set(jobId, row.key)),
          }),
        ]),
    make('restore', {
      id: 'backup-restore',
      label: 'Restore…',
      title: `Restore ${name}…`,
      icon: <IconRestore {...icon16} />,
      keys: 'R',
      zbd: `zbd restore ${site} ${name} --plan`,
      run: () => navigate({ page: 'restore', site, name, timestamp }),
    }),
    make('drill', {
      id: 'backup-drill',
      label: doing === 'drill' ? 'Drilling' : 'Drill',
      title: `Drill ${name}`,
      icon: <IconFlask {...icon16} />,
      keys: 'D',
      zbd: `zbd drill ${site} ${name}`,
      run: () => void drillBackup(site, row),
    }),
    make('verify', {
      id: 'backup-verify',
      label: doing === 'verify' ? 'Verifying' : 'Verify all copies',
      title: `Verify all copies of ${name}`,
      icon: <IconShieldCheck {...icon16} />,
      keys: 'V',
      zbd: `zbd verify ${site} ${name}`,
      run: () => void verifyBackup(site, row),
    }),
    ...(mending
      ? [
          make('transfer-plan', {
            id: 'backup-mend',
            label: mendLabel(mending),
            title: mendTitle(name, mending),
            icon: <IconRefresh {...icon16} />,
            keys: 'A',
            zbd: transferCommand({ site, backup: row }, { ...mending, deleteOthers: false }, mending.to !== 'vault'),
            run: () => openMending(site, row, mending),
          }),
        ]
      : []),
    ...targets.slice(0, 1).map(({ from, to }) =>
      make('transfer-plan', {
        id: 'backup-copy',
        label: targets.length === 1 ? `Copy to the ${to}…` : 'Copy to…',
        title: targets.length === 1 ? `Copy ${name} to the ${to}…` : `Copy ${name} to…`,
        icon: <IconCopy {...icon16} />,
        keys: 'C',
        zbd: transferCommand({ site, backup: row }, { from, to, deleteOthers: false }, true),
        run: () => navigate({ page: 'transfer', site, from, to, backup: { name, timestamp } }),
      }),
    ),
    ...(isOutside
      ? []
      : [
          make('pin', {
            id: 'backup-pin',
            label: doing === 'pin' ? 'Pinning' : 'Pin',
            title: `Pin ${name}`,
            icon: <IconPin {...icon16} />,
            keys: 'P',
            zbd: `zbd pin ${site} ${name}`,
            run: () => void start(row, callUnlocking('backups.pin', { site, name, timestamp })),
          }),
        ]),
    ...(isOutside && row.copies.vault
      ? [
          make('remove-backup', {
            id: 'backup-delete',
            label: doing === 'remove-backup' ? 'Deleting' : 'Delete…',
            title: `Delete ${name}…`,
            icon: <IconTrash {...icon16} />,
            keys: 'Del',
            zbd: `zbd remove ${site} ${name} --confirm ${site}`,
            run: () => void start(row, callUnlocking('backups.remove', { site, name, timestamp })),
          }),
        ]
      : []),
  ]
}

/** "Copy again from the vault…" */
export function mendLabel({ from }: Mending): string {
  return `Copy again from the ${from}…`
}

/** "Copy testsite-1 again from the vault to the server…" */
export function mendTitle(name: string, { from, to }: Mending): string {
  return `Copy ${name} again from the ${from} to the ${to}…`
}

/** The plan of putting a copy right; nothing is done before it is confirmed there. */
export function openMending(site: string, { name, timestamp }: BackupRow, { from, to }: Mending): void {
  navigate({ page: 'transfer', site, from, to, backup: { name, timestamp } })
}

/** "Take the server copy for the vault…" */
export function rivalLabel({ from, to }: Mending): string {
  return `Take the ${from} copy for the ${to}…`
}

/** The plan of putting one of two copies that differ in the other's place. */
export function openRival(site: string, { name, timestamp }: BackupRow, { from, to }: Mending): void {
  navigate({ page: 'transfer', site, from, to, backup: { name, timestamp, replaceOther: true } })
}

/** What can be done with one copy of a backup: lines of the palette; the inspector has a button beside the copy. */
export function copyCommands(site: string, row: BackupRow, repositories: readonly RepositoryName[]): Command[] {
  const { name, timestamp } = row
  const present = repositories.filter((repository) => row.copies[repository])
  const targets = copyTargets(row, repositories)
  return [
    ...(present.length < 2 ? [] : present).map((repository) => ({
      id: `backup-verify-${repository}`,
      title: `Verify the ${repository} copy of ${name}`,
      group: 'Actions' as const,
      run: () => void verifyBackup(site, row, repository),
    })),
    ...mendings(row)
      .slice(1)
      .map((mending) => ({
        id: `backup-mend-${mending.to}`,
        title: mendTitle(name, mending),
        group: 'Actions' as const,
        run: () => openMending(site, row, mending),
      })),
    ...rivals(row).map((rival) => ({
      id: `backup-take-${rival.from}-${rival.to}`,
      title: `${name}: ${rivalLabel(rival).toLowerCase()}`,
      group: 'Actions' as const,
      run: () => openRival(site, row, rival),
    })),
    ...(targets.length < 2 ? [] : targets).map(({ from, to }) => ({
      id: `backup-copy-${to}`,
      title: `Copy ${name} to the ${to}…`,
      group: 'Actions' as const,
      run: () => navigate({ page: 'transfer', site, from, to, backup: { name, timestamp } }),
    })),
  ]
}

/** Starts verifying the copies of a backup to their end: all of them, or that of one repository. */
export function verifyBackup(site: string, row: BackupRow, from: RepositoryName | 'all' = 'all'): Promise<void> {
  const { name, timestamp } = row
  return start(row, callUnlocking('backups.verify', { site, name, timestamp, from, level: 2 }))
}

/** Starts restoring a backup into a scratch database. */
export function drillBackup(site: string, row: BackupRow): Promise<void> {
  const { name, timestamp } = row
  return start(row, callUnlocking('backups.drill', { site, name, timestamp }))
}

async function start(row: BackupRow, started: Promise<{ jobId: string | null }>): Promise<void> {
  try {
    const { jobId } = await started
    if (jobId !== null) startedHere.set(jobId, row.key)
  } catch (error) {
    showError(error)
  }
}
