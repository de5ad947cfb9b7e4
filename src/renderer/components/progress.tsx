import classes from './progress.module.css'

/** 4 px; a stripe when the length is not known, never a made-up percentage. */
export function ProgressBar({ value, label, width }: { value: number | null; label: string; width?: number }) {
  const known = value !== null
  return (
    <div
      className={classes.track}
      style={width === undefined ? undefined : { width, flex: 'none' }}
      role="progressbar"
      aria-label={label}
      aria-valuemin={0}
      aria-valuemax={100}
      aria-valuenow={known ? Math.round(value * 100) : undefined}
    >
      {known ? <div className={classes.fill} style={{ width: `${value * 100}%` }} /> : <div className={classes.stripe} />}
    </div>
  )
}

export function Spinner({ size = 14 }: { size?: number }) {
  return (
    <svg className={classes.spinner} width={size} height={size} viewBox="0 0 16 16" aria-hidden="true">
      <circle cx="8" cy="8" r="6.5" pathLength="100" strokeDasharray="75 25" />
    </svg>
  )
}
