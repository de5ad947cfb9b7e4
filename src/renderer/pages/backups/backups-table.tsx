import { useVirtualizer } from '@tanstack/react-virtual'
import { type KeyboardEvent, type ReactNode, useEffect, useRef } from 'react'
import { formatAge, formatMoment } from '#shared/format.ts'
import type { RepositoryName } from '#shared/model/backup.ts'
import type { Job } from '#shared/model/job.ts'
import { KindBadge } from '../../components/badge.tsx'
import { REPOSITORY_LABEL } from '../../components/icons.tsx'
import { Spinner } from '../../components/progress.tsx'
import { Proof } from '../../components/proof.tsx'
import table from '../../components/table.module.css'
import { sizeWord } from '../../lib/copies.ts'
import type { BackupRow } from '../../lib/join-backups.ts'
import { rowProof } from '../../lib/proof-text.ts'
import { type CopyUnderWay, transferInto } from '../../lib/transfers.ts'
import { useNow } from '../../stores/clock.ts'
import { doingWith } from './backup-actions.tsx'
import classes from './backups.module.css'
import { CopyCell } from './copy-cell.tsx'

const ROW_HEIGHT = 48

interface TableProps {
  rows: readonly BackupRow[]
  /** Those of the site: a column each. */
  repositories: readonly RepositoryName[]
  jobs: readonly Job[]
  chosen: string | null
  onChoose(key: string): void
  onClick(key: string): void
  onInspect(): void
  onToggleInspector(): void
  below: ReactNode
}

/** Rows over all repositories; ↑ ↓ move, Enter inspects, Space shows and hides the inspector. Only what is in sight is drawn. */
export function BackupsTable(props: TableProps) {
  const { rows, repositories, jobs, chosen, onChoose, onInspect, below } = props
  const scroller = useRef<HTMLDivElement>(null)
  const toFocus = useRef<string | null>(null)
  const now = useNow()
  const virtualizer = useVirtualizer({
    count: rows.length,
    getScrollElement: () => scroller.current,
    estimateSize: () => ROW_HEIGHT,
    overscan: 12,
  })
  const at = rows.findIndex((row) => row.key === chosen)
  // The newest is chosen from the start, so that the inspector has something to say.
  const first = rows[0]?.key
  useEffect(() => {
    if (at < 0 && first !== undefined && chosen === null) onChoose(first)
  }, [at, first, chosen, onChoose])
  // The row to go to may only be drawn once the list has scrolled to it.
  useEffect(() => {
    if (toFocus.current === null) return
    const button = scroller.current?.querySelector<HTMLElement>(
      `[data-row="${rows.findIndex((row) => row.key === toFocus.current)}"]`,
    )
    if (!button) return
    button.focus({ preventScroll: true })
    toFocus.current = null
  })

  const onKeyDown = (event: KeyboardEvent) => {
    const step = { ArrowDown: 1, ArrowUp: -1, PageDown: 10, PageUp: -10, Home: -rows.length, End: rows.length }[event.key]
    if (step !== undefined) {
      const next = Math.min(rows.length - 1, Math.max(0, at + step))
      const key = rows[next]?.key
      if (key === undefined) return
      toFocus.current = key
      onChoose(key)
      virtualizer.scrollToIndex(next)
    } else if (event.key === 'Enter') onInspect()
    else if (event.key === ' ') props.onToggleInspector()
    else return
    event.preventDefault()
  }
  const items = virtualizer.getVirtualItems()
  const before = items[0]?.start ?? 0
  const after = virtualizer.getTotalSize() - (items[items.length - 1]?.end ?? 0)
  return (
    <div ref={scroller} className={classes.scroller}>
      <table className={`${table.table} ${table.edged} ${classes.table}`} aria-label="Backups" aria-rowcount={rows.length + 1}>
        <thead>
          <tr>
            <th>Backup, why it is kept</th>
            <th className={classes.colMade}>Made</th>
            <th className={classes.colParts}>Parts</th>
            <th className={classes.colProof}>Proof</th>
            {repositories.map((repository) => (
              <th key={repository} className={classes.colCopy}>
                {REPOSITORY_LABEL[repository]}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {before > 0 && (
            <tr className={classes.spacer} style={{ height: before }}>
              <td colSpan={4 + repositories.length} />
            </tr>
          )}
          {items.map(({ index }) => {
            const row = rows[index]
            return (
              row && (
                <Row
                  key={row.key}
                  index={index}
                  row={row}
                  repositories={repositories}
                  underWay={transferInto(row, jobs)}
                  selected={row.key === chosen}
                  now={now}
                  doing={doingWith(row, jobs)?.word ?? null}
                  onClick={() => props.onClick(row.key)}
                  tabStop={at < 0 ? index === 0 : index === at}
                  onInspect={onInspect}
                  onKeyDown={onKeyDown}
                />
              )
            )
          })}
          {after > 0 && (
            <tr className={classes.spacer} style={{ height: after }}>
              <td colSpan={4 + repositories.length} />
            </tr>
          )}
        </tbody>
      </table>
      {below}
    </div>
  )
}

function Row(props: {
  index: number
  tabStop: boolean
  row: BackupRow
  repositories: readonly RepositoryName[]
  underWay: CopyUnderWay | null
  selected: boolean
  now: Date
  doing: string | null
  onClick(): void
  onInspect(): void
  onKeyDown(event: KeyboardEvent): void
}) {
  const { row, now, doing, underWay } = props
  return (
    <tr className={`${table.row} ${classes.row}`} aria-rowindex={props.index + 2} aria-current={props.selected || undefined}>
      <td>
        <div className={classes.name}>
          <button
            type="button"
            className={table.open}
            data-row={props.index}
            tabIndex={props.tabStop ? 0 : -1}
            title={row.name}
            onClick={props.onClick}
            onDoubleClick={props.onInspect}
            onKeyDown={props.onKeyDown}
          >
            {row.name}
          </button>
          <KindBadge kind={row.kind} />
        </div>
        <div className={table.second} title={row.kept}>
          {row.kept}
        </div>
      </td>
      <td>
        <div>{formatMoment(row.timestamp)}</div>
        <div className={table.second}>{formatAge(row.timestamp, now)}</div>
      </td>
      <td>
        <PartLine row={row} part="database" word="db" />
        <PartLine row={row} part="files" word="files" />
      </td>
      <td>
        {doing === null || underWay !== null ? (
          <Proof {...rowProof(row, now)} />
        ) : (
          <div className={classes.busy}>
            <Spinner />
            <span>{doing}</span>
          </div>
        )}
      </td>
      {props.repositories.map((repository) => (
        <td key={repository} className={classes.copyCell}>
          <CopyCell
            repository={repository}
            copy={row.copies[repository]}
            absence={row.absent[repository]}
            underWay={underWay?.to === repository ? underWay : null}
          />
        </td>
      ))}
    </tr>
  )
}

function PartLine({ row, part, word }: { row: BackupRow; part: 'database' | 'files'; word: string }) {
  const found = row.parts.find((candidate) => candidate.part === part)
  const className = part === 'files' ? table.second : undefined
  if (!found) return <div className={table.second}>no {part}</div>
  return (
    <div className={className}>
      {word} {sizeWord(found)}
    </div>
  )
}
