import type { JobLogLine } from '#shared/model/job.ts'
import classes from './log-lines.module.css'

/** A job's log. A text area without writing: it scrolls, selects and copies with the keyboard. */
export function LogLines({ lines, label }: { lines: readonly JobLogLine[]; label: string }) {
  if (lines.length === 0) return null
  const text = lines.map((line) => `${line.at.slice(11, 19)}  ${line.text}`).join('\n')
  return (
    <textarea
      className={classes.log}
      readOnly
      aria-label={label}
      value={text}
      rows={Math.min(Math.max(lines.length, 2), 14)}
      spellCheck={false}
    />
  )
}
