import type { RepositoryName } from '#shared/model/backup.ts'

/** What the operator may choose before the plan is confirmed. */
export interface TransferChoice {
  from: RepositoryName
  to: RepositoryName
  /** Deletes rotation slots of the target that the source does not have. */
  deleteOthers: boolean
}

/** What is copied: one backup, or all that the target lacks. */
export interface TransferSubject {
  site: string
  backup: ChosenBackup | null
}

export interface ChosenBackup {
  name: string
  timestamp: string
  /** Takes the place of another backup of the same moment too, which is pinned first. */
  replaceOther?: boolean
}

/** A place is not copied onto itself: choosing the other end's place turns the direction round. */
export function withoutLoop(before: TransferChoice, changed: Partial<TransferChoice>): TransferChoice {
  const next = { ...before, ...changed }
  if (next.from !== next.to) return next
  return { ...next, from: before.to, to: before.from }
}

/** The same transfer from a terminal. */
export function transferCommand(
  { site, backup }: TransferSubject,
  { from, to, deleteOthers }: TransferChoice,
  confirm: boolean,
): string {
  const what = backup ? `zbd copy ${site} ${backup.name}` : `zbd sync ${site}`
  return [
    what,
    `--from ${from}`,
    `--to ${to}`,
    deleteOthers ? '--delete' : '',
    backup?.replaceOther ? '--replace-other' : '',
    confirm ? `--confirm ${site}` : '',
  ]
    .filter((word) => word !== '')
    .join(' ')
}
