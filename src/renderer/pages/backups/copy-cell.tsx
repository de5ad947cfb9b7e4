import {
  IconAlertCircle,
  IconCheck,
  IconClock,
  IconClockExclamation,
  IconEqualNot,
  IconFileBroken,
  IconFileOff,
  IconHelpCircle,
} from '@tabler/icons-react'
import { inPlace, type RepositoryName } from '#shared/model/backup.ts'
import { icon14, icon16, REPOSITORY_LABEL } from '../../components/icons.tsx'
import { Spinner } from '../../components/progress.tsx'
import { type Absence, type BackupCopy, type CopyState, sentence } from '../../lib/copies.ts'
import type { CopyUnderWay } from '../../lib/transfers.ts'
import classes from './backups.module.css'

type Marked = Exclude<CopyState, 'present'> | Exclude<Absence['state'], 'later'>

/** What needs a person has a glyph and a word; the tooltip is the whole sentence. */
export const COPY_MARK: Record<Marked, { Icon: typeof IconCheck; word: string; tone: 'bad' | 'warn' | 'quiet' }> = {
  incomplete: { Icon: IconFileBroken, word: 'part missing', tone: 'bad' },
  empty: { Icon: IconFileOff, word: 'empty', tone: 'bad' },
  failed: { Icon: IconAlertCircle, word: 'failed', tone: 'bad' },
  differs: { Icon: IconEqualNot, word: 'differs', tone: 'bad' },
  newer: { Icon: IconClockExclamation, word: 'newer file', tone: 'warn' },
  stale: { Icon: IconClock, word: 'stale', tone: 'warn' },
  unknown: { Icon: IconHelpCircle, word: 'not known', tone: 'quiet' },
}

/** One repository's copy of a backup: here, not here, or what is the matter with it. */
export function CopyCell(props: {
  repository: RepositoryName
  copy: BackupCopy | undefined
  absence: Absence | undefined
  underWay: CopyUnderWay | null
}) {
  const { copy, absence, underWay } = props
  const place = REPOSITORY_LABEL[props.repository].toLowerCase()
  if (underWay)
    return (
      <span className={classes.underWay} title={`On its way to the ${place}`}>
        <Spinner />
        {underWay.text}
      </span>
    )
  const { state, reason } = copy ?? absence ?? { state: null, reason: '' }
  const absent = `Not ${inPlace(props.repository)}`
  if (state === null || state === 'later')
    return (
      <span title={reason === '' ? absent : reason} role="img" aria-label={absent}>
        –
      </span>
    )
  if (state === 'present') {
    const label = sentence(inPlace(props.repository))
    return (
      <span title={copy?.note ? `${label}. ${copy.note}` : label}>
        <IconCheck {...icon16} aria-hidden={false} role="img" aria-label={label} />
      </span>
    )
  }
  const { Icon, word, tone } = COPY_MARK[state]
  return (
    <span className={classes[tone]} title={reason}>
      <Icon {...icon14} />
      {word}
    </span>
  )
}
