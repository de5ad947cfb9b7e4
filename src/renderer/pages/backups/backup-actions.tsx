import { IconFlask, IconPin, IconRestore, IconShieldCheck, IconTrash } from '@tabler/icons-react'
import type { ReactNode } from 'react'
import { isJobActive, type Job, type JobKind } from '#shared/model/job.ts'
import type { Command } from '../../commands.ts'
import { icon16 } from '../../components/icons.tsx'
import type { BackupRow } from '../../lib/join-backups.ts'
import { showError } from '../../lib/show-error.ts'
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

/** Pinned and safety backups stand in the vault alone, outside of the rotation; only they can be deleted. */
export function backupActions(site: string, row: BackupRow, jobs: readonly Job[]): BackupAction[] {
  const { name, timestamp } = row
  const doing = doingWith(row, jobs)?.kind ?? null
  const make = (
    kind: JobKind,
    action: Pick<BackupAction, 'id' | 'label' | 'icon' | 'keys' | 'zbd'> & { title: string; run(): void },
  ): BackupAction => ({ ...action, group: 'Actions', isDangerous: kind === 'remove-backup', isRunning: doing === kind })
  const isOutside = row.kind === 'pinned' || row.kind === 'safety'
  return [
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

/** Starts verifying every copy of a backup to its end. */
export function verifyBackup(site: string, row: BackupRow): Promise<void> {
  const { name, timestamp } = row
  return start(row, callUnlocking('backups.verify', { site, name, timestamp, from: 'all', level: 2 }))
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
