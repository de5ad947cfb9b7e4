import { IconPin } from '@tabler/icons-react'
import type { ReactNode } from 'react'
import type { BackupKind } from '#shared/model/backup.ts'
import classes from './badge.module.css'
import { icon12 } from './icons.tsx'

export type BadgeTone = 'neutral' | 'acc' | 'outline' | 'pin' | 'ok' | 'warn' | 'bad'

export function Badge({ tone = 'neutral', children }: { tone?: BadgeTone; children: ReactNode }) {
  return <span className={`${classes.badge} ${classes[tone]}`}>{children}</span>
}

const KINDS: Record<BackupKind, { word: string; tone: BadgeTone }> = {
  daily: { word: 'Daily', tone: 'neutral' },
  weekly: { word: 'Weekly', tone: 'acc' },
  safety: { word: 'Safety', tone: 'outline' },
  pinned: { word: 'Pinned', tone: 'pin' },
  other: { word: 'Other', tone: 'outline' },
}

export function KindBadge({ kind }: { kind: BackupKind }) {
  const { word, tone } = KINDS[kind]
  return (
    <Badge tone={tone}>
      {kind === 'pinned' && <IconPin {...icon12} />}
      {word}
    </Badge>
  )
}

/** A count at the end of a line of the sidebar. */
export function CountBadge({ count, tone, label }: { count: number; tone: 'neutral' | 'bad'; label: string }) {
  if (count === 0) return null
  return (
    <span className={`${classes.count} ${classes[tone]}`} title={label}>
      <span aria-hidden="true">{count}</span>
      <span className="visually-hidden">{label}</span>
    </span>
  )
}
