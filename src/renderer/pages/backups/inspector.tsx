import { Button } from '@mantine/core'
import { IconAlertCircle, IconAlertTriangle, IconLock } from '@tabler/icons-react'
import { formatDuration, formatMomentLong, formatNearMoment } from '#shared/format.ts'
import { describeTrouble, type RepositoryName } from '#shared/model/backup.ts'
import { KindBadge } from '../../components/badge.tsx'
import { CheckList } from '../../components/check-list.tsx'
import { DrillReportView } from '../../components/drill-report.tsx'
import { icon14, icon16, REPOSITORY_LABEL } from '../../components/icons.tsx'
import { CopyButton, Kbd } from '../../components/kbd.tsx'
import { Pane, PaneSection } from '../../components/pane.tsx'
import { partWord, REPOSITORIES, sizeWord } from '../../lib/copies.ts'
import type { BackupRow } from '../../lib/join-backups.ts'
import { levelSummaries } from '../../lib/levels.ts'
import { mendings, rivals } from '../../lib/mending.ts'
import type { RepositoryPlace } from '../../lib/site-places.ts'
import { useNow } from '../../stores/clock.ts'
import { type BackupAction, mendLabel, mendTitle, openMending, openRival, rivalLabel } from './backup-actions.tsx'
import { CopiesSection } from './copies-section.tsx'
import classes from './inspector.module.css'

/** What is known about the chosen backup, and what can be done with it. */
export function Inspector(props: {
  site: string
  row: BackupRow
  places: readonly RepositoryPlace[]
  actions: readonly BackupAction[]
  onClose(): void
}) {
  const { site, row, actions, onClose } = props
  const verify = actions.find(({ id }) => id === 'backup-verify')
  const now = useNow()
  const age = formatDuration((now.getTime() - new Date(row.timestamp).getTime()) / 1000)
  const present = REPOSITORIES.filter((repository) => row.copies[repository])
  return (
    <Pane
      label={`Backup ${row.name}`}
      title={row.name}
      badge={<KindBadge kind={row.kind} />}
      second={
        <>
          {formatMomentLong(row.timestamp)} · {age} ago
          <br />
          {row.kept}
        </>
      }
      close={{ label: 'Close the inspector', onClose }}
    >
      <Problem site={site} row={row} verify={verify} />
      <Parts row={row} />
      <CopiesSection site={site} row={row} places={props.places} isVerifying={verify?.isRunning ?? false} />
      {told(row, present).map((repository) => (
        <Levels key={repository} repository={repository} row={row} />
      ))}
      <PaneSection title="Actions">
        {actions.map((action) => (
          <Action key={action.id} action={action} />
        ))}
      </PaneSection>
      {present.map((repository) => (
        <Drill key={repository} repository={repository} row={row} />
      ))}
    </Pane>
  )
}

/** Copies that were verified; before that one line of levels says what there is to verify. */
function told(row: BackupRow, present: readonly RepositoryName[]): readonly RepositoryName[] {
  const verified = present.filter((repository) => row.copies[repository]?.entry.proof)
  return verified.length > 0 ? verified : present.slice(0, 1)
}

function Problem({ site, row, verify }: { site: string; row: BackupRow; verify: BackupAction | undefined }) {
  const marked = REPOSITORIES.flatMap((repository) => {
    const state = row.copies[repository] ?? row.absent[repository]
    return state && state.reason !== '' && state.state !== 'unknown' && state.state !== 'later' ? [{ repository, ...state }] : []
  })
  if (marked.length === 0) return null
  const mending = mendings(row)
  const rival = rivals(row)
  const reasons = [...marked.map(({ reason }) => reason), ...new Set([...mending, ...rival].map(({ why }) => why))]
  const isBad = marked.some(({ state }) => state !== 'stale' && state !== 'newer')
  return (
    <div className={classes.problem} data-tone={isBad ? 'bad' : 'warn'} role="note">
      {isBad ? <IconAlertCircle {...icon16} /> : <IconAlertTriangle {...icon16} />}
      <div data-selectable>
        {reasons.map((reason) => (
          <p key={reason}>{reason}</p>
        ))}
        <div className={classes.problemButtons}>
          {mending.map((way) => (
            <Button
              key={way.to}
              data-size="small"
              aria-label={mendTitle(row.name, way)}
              onClick={() => openMending(site, row, way)}
            >
              {mending.length === 1 ? mendLabel(way) : `${mendLabel(way).replace('…', '')} to the ${way.to}…`}
            </Button>
          ))}
          {rival.map((way) => (
            <Button
              key={way.to}
              data-size="small"
              aria-label={`${row.name}: ${rivalLabel(way)}`}
              onClick={() => openRival(site, row, way)}
            >
              {rivalLabel(way)}
            </Button>
          ))}
          {isBad && verify && (
            <Button data-size="small" disabled={verify.isRunning} onClick={verify.run}>
              {verify.label}
            </Button>
          )}
        </div>
      </div>
    </div>
  )
}

function Parts({ row }: { row: BackupRow }) {
  const mixed = new Set(row.parts.map((part) => part.isEncrypted)).size > 1
  return (
    <PaneSection
      title="Parts"
      aside={
        <>
          {row.isEncrypted ? 'encrypted' : 'not encrypted'}
          {row.isEncrypted && <IconLock {...icon14} />}
        </>
      }
    >
      {row.parts.map((part) => (
        <div key={part.part} className={classes.part} title={part.trouble === 'not-uploaded' ? describeTrouble(part) : part.file}>
          <span>
            {partWord(part.part)}
            {mixed && part.isEncrypted && <IconLock {...icon14} aria-label="encrypted" />}
          </span>
          <span className={part.size === null && part.trouble !== 'not-uploaded' ? classes.bad : undefined}>
            {sizeWord(part)}
          </span>
          {part.hash === null ? (
            <i>no hash recorded</i>
          ) : (
            <>
              <code>{`${part.hash.slice(0, 8)}…${part.hash.slice(-4)}`}</code>
              <CopyButton text={part.hash} label={`Copy the hash of the ${partWord(part.part)} part`} />
            </>
          )}
        </div>
      ))}
    </PaneSection>
  )
}

/** What verifying and drilling found of one copy. */
function Levels({ repository, row }: { repository: RepositoryName; row: BackupRow }) {
  const now = useNow()
  const proof = row.copies[repository]?.entry.proof ?? null
  return (
    <PaneSection title="Verified" aside={copyWord(repository)}>
      <CheckList
        stacked
        checks={levelSummaries(proof).map(({ level, text, outcome, reason, at }) => ({
          name: `${level} ${text}`,
          outcome,
          finding: reason,
          end: at === null ? 'not yet' : formatNearMoment(at, now),
        }))}
      />
    </PaneSection>
  )
}

/** The report of the last drill of one copy. */
function Drill({ repository, row }: { repository: RepositoryName; row: BackupRow }) {
  const now = useNow()
  const report = row.copies[repository]?.entry.proof?.drill ?? null
  if (!report) return null
  return (
    <PaneSection title="Drill" aside={`${copyWord(repository)}, ${formatNearMoment(report.startedAt, now)}`}>
      <DrillReportView report={report} />
    </PaneSection>
  )
}

function copyWord(repository: RepositoryName): string {
  return `${REPOSITORY_LABEL[repository].toLowerCase()} copy`
}

function Action({ action }: { action: BackupAction }) {
  return (
    <div className={classes.action} data-dangerous={action.isDangerous || undefined}>
      {action.icon}
      <div>
        <button type="button" disabled={action.isRunning} onClick={action.run}>
          {action.label}
        </button>
        <code title={action.zbd}>{action.zbd}</code>
      </div>
      <Kbd keys={action.keys} />
    </div>
  )
}
