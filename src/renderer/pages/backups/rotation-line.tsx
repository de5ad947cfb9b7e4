import { IconClock, IconLock, IconLockOpen, IconRotateClockwise } from '@tabler/icons-react'
import { icon14 } from '../../components/icons.tsx'
import { rotationText } from '../../lib/join-backups.ts'
import { useSite } from '../../queries.ts'
import classes from './backups.module.css'

/** How this site's backups are named, whether they are encrypted, and by which clock. */
export function RotationLine({ site, scheme }: { site: string; scheme: 'manual' | 'server' }) {
  const encrypted = useSite(site).data?.site.encryption?.enabled === true
  return (
    <div className={classes.rotation}>
      <span>
        <IconRotateClockwise {...icon14} /> {rotationText(scheme)}
      </span>
      <span>
        {encrypted ? <IconLock {...icon14} /> : <IconLockOpen {...icon14} />} {encrypted ? 'Encrypted' : 'Not encrypted'}
      </span>
      <span className={classes.utc}>
        <IconClock {...icon14} /> All times UTC
      </span>
    </div>
  )
}
