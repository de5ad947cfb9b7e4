import { Checkbox } from '@mantine/core'
import { formatBytes } from '#shared/format.ts'
import type { RestorePart, RestorePlan } from '#shared/model/plan.ts'
import { Spinner } from '../../components/progress.tsx'
import classes from './restore.module.css'

const ORDER: readonly RestorePart[] = ['database', 'files', 'config', 'security']

const TITLE: Record<RestorePart, string> = {
  database: 'Database',
  files: 'Media files',
  config: 'Configuration',
  security: 'Security',
}

/** Which parts are restored; ticking another one makes the plan again. */
export function PartCards({
  plan,
  asked,
  busy,
  onParts,
}: {
  plan: RestorePlan
  /** The parts that were asked for; the backup or the site may not have them all. */
  asked: readonly RestorePart[]
  busy: boolean
  onParts(parts: RestorePart[]): void
}) {
  const toggle = (part: RestorePart) => {
    const next = ORDER.filter((one) => (one === part ? !plan.parts.includes(one) : plan.parts.includes(one)))
    if (next.length > 0) onParts(next)
  }
  return (
    <div className={classes.cards}>
      {ORDER.map((part) => {
        const on = plan.parts.includes(part)
        const onlyOne = on && plan.parts.length === 1
        const missing = !on && asked.includes(part)
        return (
          <label
            key={part}
            htmlFor={`part-${part}`}
            className={classes.card}
            data-on={on}
            title={onlyOne ? 'One part at least is restored' : undefined}
          >
            <Checkbox
              id={`part-${part}`}
              checked={on}
              disabled={busy || onlyOne || missing}
              onChange={() => toggle(part)}
              aria-label={TITLE[part]}
            />
            <span>
              <b>{TITLE[part]}</b>
              <i>{on ? effectOf(part, plan) : missing && !busy ? 'not available; see Checks' : 'stays as it is'}</i>
            </span>
          </label>
        )
      })}
      {busy && (
        <span className={classes.replanning} role="status">
          <Spinner /> Making the plan again
        </span>
      )}
    </div>
  )
}

function effectOf(part: RestorePart, plan: RestorePlan): string {
  const size = (bytes: number | null | undefined) => (bytes === null || bytes === undefined ? '' : `${formatBytes(bytes)}, `)
  switch (part) {
    case 'database':
      return `${size(plan.databaseBytes)}replaced`
    case 'files':
      return `${size(plan.media?.bytes)}merged in`
    case 'config':
    case 'security':
      return 'files overwritten'
  }
}
