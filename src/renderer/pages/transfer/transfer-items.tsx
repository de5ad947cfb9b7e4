import { Button } from '@mantine/core'
import { useState } from 'react'
import { formatBytes, formatMoment, formatPlural } from '#shared/format.ts'
import type { RepositoryName } from '#shared/model/backup.ts'
import type { TransferDeletion, TransferItem } from '#shared/model/transfer.ts'
import { Badge, type BadgeTone } from '../../components/badge.tsx'
import table from '../../components/table.module.css'
import page from '../restore/restore.module.css'
import classes from './transfer.module.css'

const ACTION: Record<TransferItem['action'], { word: string; tone: BadgeTone }> = {
  copy: { word: 'Copy', tone: 'acc' },
  resume: { word: 'Go on', tone: 'acc' },
  same: { word: 'There', tone: 'neutral' },
  refused: { word: 'Left alone', tone: 'warn' },
}

function wordOf({ action, marks, displaces, mends }: TransferItem): string {
  if (marks) return 'Note'
  if (displaces) return 'Replace'
  return mends && action === 'copy' ? 'Mend' : ACTION[action].word
}

/** Nothing is done about it. */
function isSettled({ action, marks }: TransferItem): boolean {
  return action === 'same' && !marks
}

/** The backups of a plan, newest first, each with what happens to it and why; those that are there already are folded. */
export function TransferItems({ items }: { items: readonly TransferItem[] }) {
  const [all, setAll] = useState(false)
  const same = items.filter(isSettled)
  const others = items.filter((item) => !isSettled(item))
  const folds = same.length > 0 && others.length > 0 && !all
  const shown = folds ? others : items
  if (items.length === 0) return null
  return (
    <section className={page.section}>
      <h2>
        Backups <span>{formatPlural(items.length, 'backup')} compared</span>
      </h2>
      <table className={`${table.table} ${classes.items}`}>
        <thead>
          <tr>
            <th>Backup</th>
            <th className={classes.colAction}>What</th>
            <th>Why</th>
            <th className={classes.number}>Size</th>
          </tr>
        </thead>
        <tbody>
          {shown.map((item) => (
            <tr key={`${item.name} ${item.timestamp}`} data-action={item.action}>
              <td>
                <b>{item.name}</b>
                <div className={classes.second}>{formatMoment(item.timestamp)} UTC</div>
              </td>
              <td>
                <Badge tone={ACTION[item.action].tone}>{wordOf(item)}</Badge>
              </td>
              <td className={classes.why} data-selectable>
                {item.reason}
              </td>
              <td
                className={classes.number}
                title={item.parts.map(({ file, size }) => `${file}: ${formatBytes(size)}`).join('\n')}
              >
                {formatBytes(item.bytes)}
                {item.action === 'resume' && <div className={classes.second}>{formatBytes(item.storedBytes)} there</div>}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
      {folds && (
        <Button className={page.more} data-size="inline" variant="subtle" onClick={() => setAll(true)}>
          {formatPlural(same.length, 'other backup')} {same.length === 1 ? 'is' : 'are'} there already
        </Button>
      )}
    </section>
  )
}

/** What a transfer deletes, with every file. Nothing else is ever deleted by it. */
export function Deletions({ deletions, to }: { deletions: readonly TransferDeletion[]; to: RepositoryName }) {
  if (deletions.length === 0) return null
  return (
    <section className={`${page.section} ${classes.deletions}`}>
      <h2>
        Deleted from the {to} <span>{formatPlural(deletions.length, 'backup')}, and nothing else</span>
      </h2>
      <ul>
        {deletions.map(({ name, timestamp, files, bytes }) => (
          <li key={`${name} ${timestamp}`}>
            <b>{name}</b>
            <span>{formatMoment(timestamp)} UTC</span>
            <span className={classes.number}>{formatBytes(bytes)}</span>
            <code data-selectable>{files.join('  ')}</code>
          </li>
        ))}
      </ul>
    </section>
  )
}
