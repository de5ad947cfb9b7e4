import { Button } from '@mantine/core'
import { IconCheck, IconClock, IconLock, IconLockOpen, IconMinus, IconX } from '@tabler/icons-react'
import { Fragment } from 'react'
import type { SiteStatus } from '#shared/contract/backups.ts'
import { formatBytes, formatClock, formatDuration, formatMoment, formatNearMoment, formatUntil } from '#shared/format.ts'
import type { RepositoryName } from '#shared/model/backup.ts'
import { Badge } from '../../components/badge.tsx'
import { icon12, icon16, REPOSITORY_ICON, REPOSITORY_LABEL } from '../../components/icons.tsx'
import { NightsStrip } from '../../components/nights-strip.tsx'
import { Proof } from '../../components/proof.tsx'
import { Sparkline } from '../../components/sparkline.tsx'
import { glyphOf, StateGlyph } from '../../components/state-glyph.tsx'
import table from '../../components/table.module.css'
import { backUp } from '../../lib/back-up.ts'
import { siteProof } from '../../lib/proof-text.ts'
import { ageState, PROTECTION_WORD } from '../../lib/protection.ts'
import { runMissed, useNightlyState } from '../../lib/use-nights.ts'
import { useNow } from '../../stores/clock.ts'
import { navigate } from '../../stores/ui.ts'
import classes from './overview.module.css'

export type Copy = SiteStatus['copies']['vault']

export const COPY_WORD: Record<Copy, string> = {
  newest: 'has the newest',
  old: 'only has an older one',
  none: 'has none',
  failing: 'cannot be read or failed',
  unknown: 'is being looked at',
}

export function SitesTable({ trouble, quiet }: { trouble: readonly SiteStatus[]; quiet: readonly SiteStatus[] }) {
  const groups = [
    { title: 'Needs attention', sites: trouble },
    { title: quiet.every((status) => status.protection === 'protected') ? 'Protected' : 'Others', sites: quiet },
  ].filter((group) => group.sites.length > 0)
  return (
    <table className={`${table.table} ${classes.table}`} aria-label="Sites">
      <thead>
        <tr>
          <th>Site and protection</th>
          <th className={classes.colNewest}>Newest good</th>
          <th className={classes.colNights}>
            Last <span className={classes.wide}>35</span>
            <span className={classes.slim}>21</span> nights
          </th>
          <th className={classes.colSize}>Size</th>
          <th className={classes.colCopies}>Copies</th>
          <th className={classes.colLock}>
            <span className="visually-hidden">Encryption</span>
          </th>
          <th className={classes.colProof}>Proof</th>
          <th className={classes.colNext}>Next run</th>
        </tr>
      </thead>
      <tbody>
        {groups.map((group) => (
          <Fragment key={group.title}>
            <tr className={classes.group}>
              {/* as many as a narrow window shows: more would be columns of their own there */}
              <th colSpan={5} scope="rowgroup">
                {group.title} <span>{group.sites.length}</span>
              </th>
            </tr>
            {group.sites.map((status) => (
              <SiteRow key={status.site} status={status} />
            ))}
          </Fragment>
        ))}
      </tbody>
    </table>
  )
}

const TONE = { protected: 'ok', ageing: 'warn', unprotected: 'bad', unknown: 'neutral' } as const

function SiteRow({ status }: { status: SiteStatus }) {
  const now = useNow()
  const { newest, protection } = status
  const age = newest ? (now.getTime() - new Date(newest.timestamp).getTime()) / 1000 : null
  return (
    <tr className={`${table.row} ${classes.row}`} data-protection={protection}>
      <td>
        <div className={classes.site}>
          <StateGlyph state={glyphOf(protection)} label={PROTECTION_WORD[protection]} />
          <div>
            <div className={classes.name}>
              <button
                type="button"
                className={table.open}
                onClick={() => navigate({ page: 'site', site: status.site, tab: 'overview' })}
              >
                {status.site}
              </button>
              {protection !== 'protected' && <Badge tone={TONE[protection]}>{PROTECTION_WORD[protection]}</Badge>}
              {status.isDemo && <Badge tone="outline">Demo</Badge>}
            </div>
            <p className={classes.reason}>{status.reason}</p>
          </div>
        </div>
      </td>
      <td>
        {newest ? (
          <>
            <div className={classes.age} data-state={ageState(age)}>
              {formatDuration(age ?? 0)}
            </div>
            <div className={table.second}>{formatNearMoment(newest.timestamp, now)}</div>
          </>
        ) : (
          <div className={classes.age} data-state="bad">
            None
          </div>
        )}
      </td>
      <td className={classes.colNights}>
        <div className={table.above}>
          <NightsStrip nights={status.nights} />
        </div>
      </td>
      <td className={classes.colSize}>
        <Sparkline sizes={status.sizes} />
        <div className={classes.size}>{newest ? formatBytes(newest.bytes) : '–'}</div>
      </td>
      <td>
        <div className={classes.copies}>
          <CopyMark repository="server" state={status.copies.server} />
          <CopyMark repository="filestore" state={status.copies.filestore} />
          <CopyMark repository="vault" state={status.copies.vault} />
        </div>
      </td>
      <td className={classes.colLock}>
        <Lock encryption={status.encryption} />
      </td>
      <td>
        <Proof {...siteProof(status, now)} />
      </td>
      <td className={classes.colNext}>
        <NextRun site={status.site} isUnprotected={protection === 'unprotected'} />
      </td>
    </tr>
  )
}

/** When the next night comes, or the button that a person should press instead. */
function NextRun({ site, isUnprotected }: { site: string; isUnprotected: boolean }) {
  const state = useNightlyState(site)
  const now = useNow()
  if (state?.runningJob) return <div className={classes.size}>running</div>
  if (state && state.missed !== null)
    return (
      <Button
        className={table.above}
        data-size="small"
        title={state.missed}
        aria-label={`Run the missed backup of ${site} now`}
        onClick={() => void runMissed(site)}
      >
        Run missed now
      </Button>
    )
  if (isUnprotected)
    return (
      <Button
        className={table.above}
        data-size="small"
        aria-label={`Back up ${site} now`}
        onClick={() => void backUp(site, 'vault')}
      >
        Back up now
      </Button>
    )
  if (!state || state.nextAt === null) return <div className={classes.size}>nights off</div>
  return (
    <>
      <div title={`${formatMoment(state.nextAt)} UTC`}>{formatClock(state.nextAt)}</div>
      <div className={classes.size}>{formatUntil(state.nextAt, now)}</div>
    </>
  )
}

function CopyMark({ repository, state }: { repository: RepositoryName; state: Copy }) {
  const Icon = REPOSITORY_ICON[repository]
  const text = `${REPOSITORY_LABEL[repository]} ${COPY_WORD[state]}`
  return (
    <span className={classes.copy} data-state={state} role="img" aria-label={text} title={text}>
      <Icon {...icon16} />
      {state === 'newest' && <IconCheck {...icon12} />}
      {state === 'old' && <IconClock {...icon12} />}
      {state === 'failing' && <IconX {...icon12} />}
      {state === 'none' && <IconMinus {...icon12} />}
    </span>
  )
}

const LOCK_TEXT: Record<SiteStatus['encryption'], string> = {
  encrypted: 'Encrypted',
  plain: 'Not encrypted',
  mixed: 'Some are encrypted, some are not',
  none: 'No backup yet',
}

function Lock({ encryption }: { encryption: SiteStatus['encryption'] }) {
  const Icon = encryption === 'encrypted' ? IconLock : IconLockOpen
  if (encryption === 'none') return <span className={table.second}>–</span>
  return (
    <span
      className={classes.lock}
      data-state={encryption}
      role="img"
      aria-label={LOCK_TEXT[encryption]}
      title={LOCK_TEXT[encryption]}
    >
      <Icon {...icon16} />
    </span>
  )
}

export function OverviewLegend() {
  return (
    <div className={classes.legend} aria-hidden="true">
      <span>
        <i data-night="good" /> good
      </span>
      <span>
        <i data-night="one" /> kept in one place
      </span>
      <span>
        <i data-night="failed" /> failed
      </span>
      <span>
        <i data-night="none" /> none
      </span>
      <span>
        <i data-night="sunday" /> Sunday
      </span>
      <span className={classes.legendRight}>
        <REPOSITORY_ICON.server {...icon16} /> server
      </span>
      <span>
        <REPOSITORY_ICON.filestore {...icon16} /> filestore
      </span>
      <span>
        <REPOSITORY_ICON.vault {...icon16} /> vault
      </span>
      <span>
        <IconCheck {...icon12} /> newest
      </span>
      <span className={classes.old}>
        <IconClock {...icon12} /> old
      </span>
      <span className={classes.failing}>
        <IconX {...icon12} /> failing
      </span>
    </div>
  )
}
