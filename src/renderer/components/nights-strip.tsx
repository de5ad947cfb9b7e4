import { useRef } from 'react'
import type { Night } from '#shared/contract/backups.ts'
import { formatWeekdayDay } from '#shared/format.ts'
import classes from './nights-strip.module.css'

const WORD: Record<Night['outcome'], string> = {
  good: 'good',
  'one-place': 'kept in one place',
  failed: 'failed',
  none: 'none',
}

function nightText(night: Night): string {
  return `${formatWeekdayDay(`${night.date}T00:00:00Z`)}: ${night.text || WORD[night.outcome]}`
}

/** The last nights as bars; one tab stop, arrow keys go from night to night, each says its date and result. */
export function NightsStrip({ nights, size = 'row' }: { nights: readonly Night[]; size?: 'row' | 'large' }) {
  const strip = useRef<HTMLUListElement>(null)
  const move = (from: number, step: number) => {
    const bars = strip.current?.querySelectorAll<HTMLElement>('[data-night]')
    bars?.[Math.min(nights.length - 1, Math.max(0, from + step))]?.focus()
  }
  return (
    <ul ref={strip} className={size === 'large' ? classes.large : classes.strip} aria-label={`Last ${nights.length} nights`}>
      {nights.map((night, index) => (
        <li key={night.date} className={classes.night}>
          <button
            type="button"
            data-night={night.outcome}
            className={classes[night.outcome === 'one-place' ? 'one' : night.outcome]}
            tabIndex={index === nights.length - 1 ? 0 : -1}
            aria-label={nightText(night)}
            title={nightText(night)}
            onKeyDown={(event) => {
              if (event.key !== 'ArrowLeft' && event.key !== 'ArrowRight') return
              event.preventDefault()
              event.stopPropagation()
              move(index, event.key === 'ArrowLeft' ? -1 : 1)
            }}
          />
          {new Date(`${night.date}T00:00:00Z`).getUTCDay() === 0 && <i className={classes.sunday} />}
        </li>
      ))}
    </ul>
  )
}
