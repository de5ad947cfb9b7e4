import { Button, Popover } from '@mantine/core'
import { IconCalendarEvent, IconClock, IconLock, IconLockOpen, IconRotateClockwise } from '@tabler/icons-react'
import { ComingNights } from '../../components/coming-nights.tsx'
import { icon14 } from '../../components/icons.tsx'
import { CloseButton } from '../../components/pane.tsx'
import { rotationText } from '../../lib/join-backups.ts'
import { nextNightText } from '../../lib/next-night.ts'
import { useNightlyState } from '../../lib/use-nights.ts'
import { useSite } from '../../queries.ts'
import { useNow } from '../../stores/clock.ts'
import { navigate } from '../../stores/ui.ts'
import classes from './backups.module.css'

/** How this site's backups are named, whether they are encrypted, by which clock, and what the coming nights write. */
export function RotationLine(props: {
  site: string
  scheme: 'manual' | 'server'
  comingOpen: boolean
  onComing(open: boolean): void
}) {
  const { site, scheme } = props
  const encrypted = useSite(site).data?.site.encryption?.enabled === true
  const nights = useNightlyState(site)
  const now = useNow()
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
      <Popover opened={props.comingOpen} onChange={props.onComing} width={460} position="bottom-end" trapFocus returnFocus>
        <Popover.Target>
          <button type="button" className={classes.coming} onClick={() => props.onComing(!props.comingOpen)}>
            <IconCalendarEvent {...icon14} /> Coming nights
          </button>
        </Popover.Target>
        <Popover.Dropdown>
          <div className={classes.comingHead}>
            <div>
              <h2>Coming nights</h2>
              {nights && (
                <p>
                  {nextNightText(nights, now)}
                  {nights.nextAt === null ? '; with nights on they would be:' : ''}
                </p>
              )}
            </div>
            <CloseButton label="Close the coming nights" onClick={() => props.onComing(false)} />
          </div>
          <div className={classes.comingList}>
            <ComingNights site={site} />
          </div>
          <div className={classes.comingFoot}>
            <Button data-size="inline" onClick={() => navigate({ page: 'site', site, tab: 'settings', section: 'nights' })}>
              Set the nights…
            </Button>
          </div>
        </Popover.Dropdown>
      </Popover>
    </div>
  )
}
