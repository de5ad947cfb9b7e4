import { Button } from '@mantine/core'
import { IconArrowRight } from '@tabler/icons-react'
import { useState } from 'react'
import { formatBytes, formatCount, formatPlural } from '#shared/format.ts'
import type { PlanCheck, RestorePlan } from '#shared/model/plan.ts'
import { CheckList } from '../../components/check-list.tsx'
import { icon14 } from '../../components/icons.tsx'
import shared from '../../components/table.module.css'
import { differenceText, splitTables, TABLE_WORD } from '../../lib/plan-tables.ts'
import classes from './restore.module.css'

/** Rows per table, now and then. */
export function Tables({ title, tables, kept }: { title: string; tables: RestorePlan['tables']; kept: string | null }) {
  const [all, setAll] = useState(false)
  const { shown, same } = splitTables(tables)
  return (
    <section className={classes.section}>
      <h2>{title}</h2>
      <table className={`${shared.table} ${classes.tables}`}>
        <thead>
          <tr>
            <th>Table</th>
            <th className={classes.number}>Now</th>
            <th className={classes.arrow}>
              <span className="visually-hidden">to</span>
            </th>
            <th className={classes.number}>Then</th>
            <th className={classes.number}>Difference</th>
          </tr>
        </thead>
        <tbody>
          {(all ? [...shown, ...same] : shown).map(({ table, rowsNow, rowsThen }) => {
            const difference = differenceText(rowsNow, rowsThen)
            const word = TABLE_WORD[table]
            return (
              <tr key={table}>
                <td>
                  {word !== undefined && `${word} `}
                  <code>{table}</code>
                </td>
                <td className={classes.number}>{rowsNow === null ? '–' : formatCount(rowsNow)}</td>
                <td className={classes.arrow}>
                  <IconArrowRight {...icon14} />
                </td>
                <td className={classes.number}>{rowsThen === null ? '–' : formatCount(rowsThen)}</td>
                <td className={classes.number}>
                  {difference === 'same' ? <span className={classes.dim}>same</span> : <b>{difference}</b>}
                </td>
              </tr>
            )
          })}
        </tbody>
      </table>
      {same.length > 0 && !all && (
        <Button className={classes.more} data-size="inline" variant="subtle" onClick={() => setAll(true)}>
          {formatPlural(same.length, 'other table')} with the same number of rows
        </Button>
      )}
      {kept !== null && (
        <p className={classes.kept} data-selectable>
          The live schema is kept as <code>{kept}</code>.
        </p>
      )}
    </section>
  )
}

/** The rows of what is kept, for those who are about to delete it. */
export function KeptRows({ tables }: { tables: RestorePlan['tables'] }) {
  const held = splitTables(tables).shown.filter(({ rowsThen }) => rowsThen !== 0)
  return (
    <section className={classes.section}>
      <h2>What is deleted</h2>
      <table className={`${shared.table} ${classes.tables}`}>
        <thead>
          <tr>
            <th>Table</th>
            <th className={classes.number}>Rows</th>
          </tr>
        </thead>
        <tbody>
          {held.map(({ table, rowsThen }) => (
            <tr key={table}>
              <td>
                {TABLE_WORD[table] !== undefined && `${TABLE_WORD[table]} `}
                <code>{table}</code>
              </td>
              <td className={classes.number}>{rowsThen === null ? 'not counted' : formatCount(rowsThen)}</td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  )
}

export function Media({ media }: { media: NonNullable<RestorePlan['media']> }) {
  return (
    <section className={classes.section}>
      <h2>Media files</h2>
      <p data-selectable>
        {formatPlural(media.entries, 'file')} in the backup: {formatCount(media.added)} added, {formatCount(media.replaced)}{' '}
        replaced, {formatCount(media.same)} the same.{' '}
        {media.stay > 0 && `${formatPlural(media.stay, 'newer file')} on the live site ${media.stay === 1 ? 'stays' : 'stay'}.`}
      </p>
    </section>
  )
}

/** Configuration and secret files, each with what becomes of it. */
export function ConfigFiles({ files }: { files: NonNullable<RestorePlan['config']> }) {
  return (
    <section className={classes.section}>
      <h2>
        Configuration and security <span>{formatPlural(files.length, 'file')}</span>
      </h2>
      <table className={`${shared.table} ${classes.tables}`}>
        <thead>
          <tr>
            <th>File</th>
            <th className={classes.number}>Size</th>
            <th className={classes.number}>Becomes</th>
          </tr>
        </thead>
        <tbody>
          {files.map(({ path, bytes, change }) => (
            <tr key={path}>
              <td>
                <code>{path}</code>
              </td>
              <td className={classes.number}>{formatBytes(bytes)}</td>
              <td className={classes.number}>
                {change === 'same' || change === 'left' ? <span className={classes.dim}>{change}</span> : <b>{change}</b>}
              </td>
            </tr>
          ))}
        </tbody>
      </table>
    </section>
  )
}

export function Checks({ checks }: { checks: readonly PlanCheck[] }) {
  const count = (outcome: PlanCheck['outcome']) => checks.filter((check) => check.outcome === outcome).length
  const summary = [
    count('passed') > 0 ? `${count('passed')} passed` : '',
    count('warning') > 0 ? `${count('warning')} to read` : '',
    count('failed') > 0 ? `${count('failed')} failed` : '',
  ].filter((text) => text !== '')
  return (
    <section className={classes.section}>
      <h2>
        Checks <span>{summary.join(', ')}</span>
      </h2>
      <CheckList checks={checks} />
    </section>
  )
}

/** Why a plan can't be run, from its failed checks. */
export function whyNotRunnable(checks: readonly PlanCheck[], hint: string) {
  const failed = checks.filter((check) => check.outcome === 'failed').map((check) => `${check.name}: ${check.finding}.`)
  return { code: 'plan-not-runnable', message: failed.join(' '), hint }
}
