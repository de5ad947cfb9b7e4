import { Button } from '@mantine/core'
import { IconFolder, IconPlus, IconX } from '@tabler/icons-react'
import { useMemo } from 'react'
import { formatAmount, formatPlural } from '#shared/format.ts'
import { isJobActive, type Job } from '#shared/model/job.ts'
import { desk } from '../../bridge.ts'
import { icon14, icon16 } from '../../components/icons.tsx'
import { ProgressBar } from '../../components/progress.tsx'
import { Empty, ErrorBox } from '../../components/states.tsx'
import { Page } from '../../layout/page.tsx'
import { type DecryptTotals, decryptRows, decryptTotals } from '../../lib/decrypt-rows.ts'
import { chooseAndDecrypt } from '../../lib/decrypt-start.ts'
import { fraction, timeLeftText } from '../../lib/jobs.ts'
import { showError } from '../../lib/show-error.ts'
import { useMarkSeen } from '../../lib/use-mark-seen.ts'
import { useDecrypt } from '../../stores/decrypt.ts'
import { useJobs } from '../../stores/jobs.ts'
import classes from './decrypt.module.css'
import { FileRow } from './file-row.tsx'

/** Every file that was dropped or chosen, each with its own outcome. */
export function DecryptPage() {
  const { jobIds, out, setOut, clear } = useDecrypt()
  const all = useJobs((state) => state.jobs)
  const jobs = useMemo(() => jobIds.flatMap((id) => all.get(id) ?? []), [jobIds, all])
  const rows = useMemo(() => decryptRows(jobs), [jobs])
  useMarkSeen(jobs)
  const active = jobs.filter(isJobActive)
  const broken = jobs.filter((job) => job.items.length === 0 && job.error !== null)
  return (
    <Page
      title="Decrypt files"
      subtitle={
        out === null ? (
          <span className={classes.where}>written next to the originals; the .enc files stay</span>
        ) : (
          <span className={classes.where}>
            written to <code>{out}</code>
            <button
              type="button"
              aria-label="Write next to the originals again"
              title="Write next to the originals again"
              onClick={() => setOut(null)}
            >
              <IconX {...icon14} />
            </button>
          </span>
        )
      }
      actions={
        <>
          <Button leftSection={<IconFolder {...icon16} />} onClick={() => void chooseOut(setOut)}>
            Other folder…
          </Button>
          <Button variant="filled" leftSection={<IconPlus {...icon16} />} onClick={() => void chooseAndDecrypt()}>
            Choose files…
          </Button>
        </>
      }
    >
      {rows.length > 0 && (
        <Summary totals={decryptTotals(rows)} jobs={active} onClear={() => clear(active.map((job) => job.id))} />
      )}
      <div className={classes.scroll}>
        {broken.map((job) => job.error && <ErrorBox key={job.id} title={`${job.title}: failed.`} error={job.error} />)}
        {rows.length > 0 && (
          <ul className={classes.list} aria-label="Files">
            <li className={classes.head} aria-hidden="true">
              <span />
              <span>File</span>
              <span className={classes.right}>Size</span>
              <span>Password</span>
              <span />
            </li>
            {rows.map((row) => (
              <FileRow key={row.path} row={row} />
            ))}
          </ul>
        )}
        {rows.length === 0 && broken.length === 0 && (
          <Empty
            title="Drop .enc files anywhere on this window"
            text="Each is decrypted next to its original. Stored passwords are tried first; if none fits, the file’s row asks for one. The .enc files stay as they are."
          >
            <Button variant="filled" onClick={() => void chooseAndDecrypt()}>
              Choose files…
            </Button>
          </Empty>
        )}
      </div>
    </Page>
  )
}

async function chooseOut(setOut: (out: string) => void): Promise<void> {
  try {
    const folder = await desk.chooseFolder('Folder for the decrypted files')
    if (folder !== null) setOut(folder)
  } catch (error) {
    showError(error)
  }
}

function Summary({ totals, jobs, onClear }: { totals: DecryptTotals; jobs: readonly Job[]; onClear(): void }) {
  const left = jobs.map((job) => job.phase).find((phase) => phase !== null && phase.secondsLeft !== null)
  const parts: { text: string; tone?: 'bad' | 'warn' }[] = []
  if (totals.done > 0) parts.push({ text: `${totals.done} done` })
  if (totals.running > 0) parts.push({ text: `${totals.running} running` })
  if (totals.waiting > 0) parts.push({ text: `${totals.waiting} waiting` })
  if (totals.needsPassword > 0)
    parts.push({ text: `${totals.needsPassword} ${totals.needsPassword === 1 ? 'needs' : 'need'} a password`, tone: 'bad' })
  if (totals.failed > 0) parts.push({ text: `${totals.failed} failed`, tone: 'bad' })
  if (totals.refused > 0) parts.push({ text: `${totals.refused} left alone`, tone: 'warn' })
  return (
    <div className={classes.summary}>
      <p aria-live="polite">
        <b>{formatPlural(totals.files, 'file')}</b>
        {parts.map((part) => (
          <span key={part.text} data-tone={part.tone}>
            {part.text}
          </span>
        ))}
      </p>
      <div className={classes.total}>
        {jobs.length > 0 ? (
          totals.bytesTotal > 0 && (
            <>
              <ProgressBar value={fraction(totals.bytesDone, totals.bytesTotal)} label="All files" width={215} />
              <span>
                {formatAmount(totals.bytesDone, totals.bytesTotal, 'bytes')}
                {left ? ` · ${timeLeftText(left)}` : ''}
              </span>
            </>
          )
        ) : (
          <Button data-size="small" variant="subtle" onClick={onClear}>
            Clear the list
          </Button>
        )}
      </div>
    </div>
  )
}
