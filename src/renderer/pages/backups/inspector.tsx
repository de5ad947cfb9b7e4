import { Button } from '@mantine/core'
import { IconAlertCircle, IconLock, IconRestore, IconShieldCheck } from '@tabler/icons-react'
import type { ReactNode } from 'react'
import { formatBytes, formatDuration, formatMomentLong, formatNearMoment } from '#shared/format.ts'
import type { RepositoryName } from '#shared/model/backup.ts'
import { isJobActive, type Job } from '#shared/model/job.ts'
import { KindBadge } from '../../components/badge.tsx'
import { CheckList } from '../../components/check-list.tsx'
import { icon14, icon16, REPOSITORY_LABEL } from '../../components/icons.tsx'
import { CopyButton, Kbd } from '../../components/kbd.tsx'
import { Pane, PaneSection } from '../../components/pane.tsx'
import { type BackupRow, partWord, REPOSITORIES } from '../../lib/join-backups.ts'
import { levelSummaries } from '../../lib/levels.ts'
import { useNow } from '../../stores/clock.ts'
import { planRestore, verifyBackup } from './actions.ts'
import classes from './inspector.module.css'

/** What is known about the chosen backup, and what can be done with it. */
export function Inspector({ site, row, jobs, onClose }: { site: string; row: BackupRow; jobs: readonly Job[]; onClose(): void }) {
  const now = useNow()
  const verifying = jobs.some((job) => job.kind === 'verify' && isJobActive(job) && job.title.split(/\s+/).includes(row.name))
  return (
    <Pane
      label={`Backup ${row.name}`}
      title={row.name}
      badge={<KindBadge kind={row.kind} />}
      second={`${formatMomentLong(row.timestamp)} · ${formatDuration((now.getTime() - new Date(row.timestamp).getTime()) / 1000)} ago`}
      close={{ label: 'Close the inspector', onClose }}
    >
      <Problem site={site} row={row} verifying={verifying} />
      <Parts row={row} />
      <Verified row={row} />
      <PaneSection title="Actions">
        <Action
          icon={<IconRestore {...icon16} />}
          label="Restore…"
          command={`zbd restore ${site} ${row.name} --plan`}
          keys="R"
          onRun={() => planRestore(site, row)}
        />
        <Action
          icon={<IconShieldCheck {...icon16} />}
          label={verifying ? 'Verifying' : 'Verify all copies'}
          command={`zbd verify ${site} ${row.name}`}
          keys="V"
          disabled={verifying}
          onRun={() => void verifyBackup(site, row)}
        />
      </PaneSection>
    </Pane>
  )
}

function Problem({ site, row, verifying }: { site: string; row: BackupRow; verifying: boolean }) {
  const reasons = REPOSITORIES.map((repository) => row.copies[repository]?.reason ?? '').filter((reason) => reason !== '')
  if (reasons.length === 0) return null
  return (
    <div className={classes.problem} role="note">
      <IconAlertCircle {...icon16} />
      <div data-selectable>
        {reasons.map((reason) => (
          <p key={reason}>{reason}</p>
        ))}
        <Button data-size="small" disabled={verifying} onClick={() => void verifyBackup(site, row)}>
          Verify all copies
        </Button>
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
        <div key={part.part} className={classes.part} title={part.file}>
          <span>
            {partWord(part.part)}
            {mixed && part.isEncrypted && <IconLock {...icon14} aria-label="encrypted" />}
          </span>
          <span className={part.size === null ? classes.bad : undefined}>
            {part.size === null ? 'missing' : formatBytes(part.size)}
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

function Verified({ row }: { row: BackupRow }) {
  const present = REPOSITORIES.filter((repository) => row.copies[repository])
  return (
    <>
      {present.map((repository) => (
        <VerifiedCopy key={repository} repository={repository} row={row} />
      ))}
    </>
  )
}

function VerifiedCopy({ repository, row }: { repository: RepositoryName; row: BackupRow }) {
  const now = useNow()
  const proof = row.copies[repository]?.entry.proof ?? null
  return (
    <PaneSection title="Verified" aside={`${REPOSITORY_LABEL[repository].toLowerCase()} copy`}>
      <CheckList
        stacked
        checks={levelSummaries(proof).map(({ level, text, outcome, reason }) => ({
          name: `${level} ${text}`,
          outcome,
          finding: reason,
          end: outcome === 'untried' ? 'not yet' : proof ? formatNearMoment(proof.verifiedAt, now) : '',
        }))}
      />
    </PaneSection>
  )
}

function Action(props: { icon: ReactNode; label: string; command: string; keys: string; disabled?: boolean; onRun(): void }) {
  return (
    <div className={classes.action}>
      {props.icon}
      <div>
        <button type="button" disabled={props.disabled} onClick={props.onRun}>
          {props.label}
        </button>
        <code>{props.command}</code>
      </div>
      <Kbd keys={props.keys} />
    </div>
  )
}
