import { Button } from '@mantine/core'
import {
  IconAlertCircle,
  IconArrowRight,
  IconBan,
  IconCheck,
  IconClock,
  IconFileOff,
  IconFiles,
  IconKey,
} from '@tabler/icons-react'
import { formatAmount, formatBytes } from '#shared/format.ts'
import { call, desk } from '../../bridge.ts'
import { icon14, icon16 } from '../../components/icons.tsx'
import { CopyButton } from '../../components/kbd.tsx'
import { ProgressBar, Spinner } from '../../components/progress.tsx'
import { type DecryptRow, folderOf } from '../../lib/decrypt-rows.ts'
import { startDecrypt } from '../../lib/decrypt-start.ts'
import { fraction } from '../../lib/jobs.ts'
import { showError } from '../../lib/show-error.ts'
import classes from './decrypt.module.css'
import { PasswordAsk } from './password-ask.tsx'

/** One file: its outcome, or what it is waiting for. A wrong password is asked for here; the others go on. */
export function FileRow({ row }: { row: DecryptRow }) {
  const { item } = row
  return (
    <li className={classes.row} data-state={row.state}>
      <span className={classes.glyph}>
        <RowIcon state={row.state} />
      </span>
      <div className={classes.file}>
        <div className={classes.names}>
          <b title={row.path}>{row.file}</b>
          {row.outputFile !== null &&
            row.state !== 'refused' &&
            row.state !== 'needs-password' &&
            row.state !== 'output-exists' && (
              <>
                <IconArrowRight {...icon14} />
                <span title={row.output ?? undefined}>{row.outputFile}</span>
              </>
            )}
        </div>
        <p data-selectable>{detailText(row)}</p>
        {row.hint !== '' && (row.state === 'failed' || row.state === 'needs-password') && (
          <p className={classes.hint}>{row.hint}</p>
        )}
        {row.state === 'running' && (
          <div className={classes.bar}>
            <ProgressBar value={fraction(item.done, item.total)} label={`Decrypting ${row.file}`} />
          </div>
        )}
        {row.state === 'output-exists' && (
          <Button className={classes.elsewhere} data-size="small" onClick={() => void decryptElsewhere(row)}>
            Choose another folder…
          </Button>
        )}
        {row.state === 'needs-password' && <PasswordAsk key={row.key} row={row} />}
      </div>
      <span className={classes.size}>{row.size === null ? '–' : formatBytes(row.size)}</span>
      <span className={classes.source}>{sourceText(row)}</span>
      <div className={classes.actions}>
        <RowActions row={row} />
      </div>
    </li>
  )
}

function detailText(row: DecryptRow): string {
  const { item } = row
  if (row.state === 'running' && item.done > 0) return formatAmount(item.done, item.total, 'bytes')
  if (row.state === 'cancelled') return 'Cancelled. Nothing was written; the .enc file is as it was.'
  if (row.state === 'waiting' && item.detail === '') return 'Waiting for its turn'
  return item.detail
}

function sourceText(row: DecryptRow): string {
  if (row.state === 'needs-password') return row.tried
  return row.passwordSource
}

function RowIcon({ state }: { state: DecryptRow['state'] }) {
  switch (state) {
    case 'done':
      return <IconCheck {...icon16} />
    case 'running':
      return <Spinner size={16} />
    case 'waiting':
      return <IconClock {...icon16} />
    case 'needs-password':
      return <IconKey {...icon16} />
    case 'output-exists':
      return <IconFiles {...icon16} />
    case 'refused':
      return <IconFileOff {...icon16} />
    case 'failed':
      return <IconAlertCircle {...icon16} />
    case 'skipped':
    case 'cancelled':
      return <IconBan {...icon16} />
  }
}

function RowActions({ row }: { row: DecryptRow }) {
  const skip = () => void call('decrypt.skip', { jobId: row.jobId, item: row.item.id }).catch(showError)
  switch (row.state) {
    case 'running':
    case 'waiting':
      return (
        <Button data-size="small" variant="subtle" onClick={skip} aria-label={`Cancel ${row.file}`}>
          Cancel
        </Button>
      )
    case 'done':
      return row.output === null ? null : (
        <CopyButton text={row.output} label={`Copy the place of ${row.outputFile ?? ''}, in ${folderOf(row.output)}`} />
      )
    case 'failed':
    case 'skipped':
    case 'cancelled':
      return (
        <Button data-size="small" onClick={() => void startDecrypt([row.path])} aria-label={`Try ${row.file} again`}>
          Try again
        </Button>
      )
    case 'output-exists':
    case 'refused':
    case 'needs-password':
      return null
  }
}

async function decryptElsewhere(row: DecryptRow): Promise<void> {
  try {
    const out = await desk.chooseFolder(`Folder for ${row.outputFile ?? row.file}`)
    if (out !== null) await startDecrypt([row.path], { out })
  } catch (error) {
    showError(error)
  }
}
