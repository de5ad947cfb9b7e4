import type { Job } from '#shared/model/job.ts'
import { type TransferResult, transferResultSchema } from '#shared/model/transfer.ts'
import { Notice } from '../../components/states.tsx'
import type { TransferChoice } from '../../lib/transfer-choice.ts'
import { transferSpeed, transferSummary } from '../../lib/transfers.ts'
import { RunView, type RunWords } from '../restore/run-view.tsx'

/** The transfer while it runs, backup by backup, and how it ended. */
export function TransferRun(props: {
  site: string
  choice: TransferChoice
  backup: { name: string } | null
  job: Job
  onBack(): void
}) {
  const { site, job } = props
  const { from, to } = props.choice
  const kept =
    'Every backup is either whole or as it was; what has arrived of the others is kept, and the next try goes on from there.'
  const words: RunWords = {
    doing: (
      <>
        Copying <b>{props.backup?.name ?? 'what is missing'}</b> of <b>{site}</b> from the {from} to the {to}.
      </>
    ),
    failed: 'Not everything was copied.',
    cancelled: kept,
    interrupted: `The engine ended while this ran. ${kept}`,
    cancel: 'Cancel',
    back: 'Back to the backups',
  }
  const result = transferResultSchema.safeParse(job.result)
  return (
    <RunView
      job={job}
      plan={null}
      words={words}
      done={result.success ? <TransferDone result={result.data} /> : <Notice tone="ok">Copied.</Notice>}
      onBack={props.onBack}
    />
  )
}

function TransferDone({ result }: { result: TransferResult }) {
  return (
    <Notice tone="ok" title={transferSummary(result)}>
      {transferSpeed(result)}
    </Notice>
  )
}
