import { Button } from '@mantine/core'
import { IconServerBolt } from '@tabler/icons-react'
import { useState } from 'react'
import type { AppErrorData } from '#shared/errors.ts'
import { isJobActive, type Job } from '#shared/model/job.ts'
import type { ZotonicSite } from '#shared/model/server.ts'
import { readError } from '../../bridge.ts'
import { Badge } from '../../components/badge.tsx'
import { icon16 } from '../../components/icons.tsx'
import { ProgressBar, Spinner } from '../../components/progress.tsx'
import { ErrorBox } from '../../components/states.tsx'
import { cancelJob } from '../../layout/job-bar.tsx'
import { type Discovery, discoveryOf, foundText, unknownKeyOf } from '../../lib/discovery.ts'
import type { DraftErrors } from '../../lib/draft-checks.ts'
import { changedKeyIn } from '../../lib/host-keys.ts'
import { fraction, phaseText } from '../../lib/jobs.ts'
import { type SiteDraft, sshInput, zotonicInput } from '../../lib/site-draft.ts'
import { useMarkSeen } from '../../lib/use-mark-seen.ts'
import { callUnlocking, useSites } from '../../queries.ts'
import { useJob } from '../../stores/jobs.ts'
import type { FieldsProps } from './field.tsx'
import { ChangedKeyCard, HostKeyCard } from './host-key-card.tsx'
import { SshFields, ZotonicFields } from './server-fields.tsx'
import classes from './settings.module.css'

/** A server to look at by SSH; of the sites that are found there, one is chosen. Nothing on the server is changed. */
export function DiscoverServer(props: {
  draft: SiteDraft
  errors: DraftErrors
  change: FieldsProps['change']
  onChoose(site: ZotonicSite, discovery: string): void
}) {
  const { draft } = props
  const form = { draft, errors: props.errors, change: props.change }
  const { job, error, look } = useDiscovery(draft)
  const isLooking = job !== null && isJobActive(job)
  const discovery = discoveryOf(job)
  return (
    <div className={classes.withPanel}>
      <form
        className={classes.fields}
        onSubmit={(event) => {
          event.preventDefault()
          look()
        }}
      >
        <SshFields form={form} stored={{ hasSshPassword: false, hasSshPassphrase: false }} />
        <details className={classes.more} open={draft.zotonicCommand !== '' || draft.zotonicRunAs !== '' || undefined}>
          <summary>Where Zotonic’s command is, and who runs it</summary>
          <ZotonicFields form={form} />
        </details>
        <div className={classes.testButton}>
          <Button
            type="submit"
            variant={discovery ? 'default' : 'filled'}
            leftSection={isLooking ? <Spinner /> : <IconServerBolt {...icon16} />}
            disabled={isLooking || draft.sshHost === '' || props.errors.sshPort !== undefined}
          >
            {isLooking ? 'Looking' : discovery ? 'Look again' : 'Look at the server'}
          </Button>
          <span>Reads only; nothing is changed</span>
        </div>
      </form>
      <section className={classes.panel} aria-label="What was found" aria-live="polite" aria-busy={isLooking}>
        <div className={classes.panelHead}>
          <h2>Sites on {draft.sshHost === '' ? 'the server' : draft.sshHost}</h2>
          {discovery && <Badge>{discovery.sites.length} found</Badge>}
        </div>
        {error && <ErrorBox error={error} />}
        {isLooking && <Looking job={job} />}
        {!isLooking && job?.error && <Failure error={job.error} job={job} onRetry={look} />}
        {!job && !error && (
          <p className={classes.explain}>
            Backup Desk logs in, asks Zotonic’s command which sites there are, and reads their settings: database, folders,
            filestore. Secrets that it finds stay in the engine and go to the secret store with the site.
          </p>
        )}
        {discovery && <Found discovery={discovery} onChoose={(site) => props.onChoose(site, discovery.discovery)} />}
      </section>
    </div>
  )
}

function useDiscovery(draft: SiteDraft) {
  const [jobId, setJobId] = useState<string | null>(null)
  const [error, setError] = useState<AppErrorData | null>(null)
  const job = useJob(jobId)
  // why it failed is said on this page
  useMarkSeen([job])
  const start = async () => {
    setError(null)
    const { sshPassword, sshPassphrase } = draft
    try {
      const started = await callUnlocking('servers.discover', {
        ssh: sshInput(draft),
        zotonic: zotonicInput(draft),
        ...(sshPassword === '' && sshPassphrase === ''
          ? {}
          : {
              sshSecrets: {
                ...(sshPassword === '' ? {} : { password: sshPassword }),
                ...(sshPassphrase === '' ? {} : { passphrase: sshPassphrase }),
              },
            }),
      })
      setJobId(started.jobId)
    } catch (thrown) {
      setError(readError(thrown))
    }
  }
  return { job, error, look: () => void start() }
}

function Looking({ job }: { job: Job }) {
  return (
    <>
      <div className={classes.looking}>
        <span>{job.phase ? phaseText(job.phase) : 'Connecting'}</span>
        <Button data-size="inline" variant="subtle" onClick={() => cancelJob(job)}>
          Cancel
        </Button>
      </div>
      <ProgressBar value={job.phase ? fraction(job.phase.done, job.phase.total) : null} label="Looking at the server" />
    </>
  )
}

function Failure({ error, job, onRetry }: { error: AppErrorData; job: Job; onRetry(): void }) {
  const unknown = unknownKeyOf(job)
  if (unknown) return <HostKeyCard hostKey={unknown} onAccepted={onRetry} />
  const changed = error.code === 'host-key-changed' ? changedKeyOf(error) : null
  if (changed) return <ChangedKeyCard {...changed} onForgotten={onRetry} />
  return <ErrorBox error={error} onRetry={onRetry} />
}

/** Both keys stand in the refusal; the known one is to be forgotten for the same host and port. */
function changedKeyOf({ message, details }: AppErrorData) {
  const { host, port, type, known } = details
  if (typeof host !== 'string' || typeof port !== 'number' || typeof type !== 'string' || !Array.isArray(known)) return null
  const keys = known.flatMap((key: { fingerprint?: unknown }) =>
    typeof key.fingerprint === 'string' ? [{ host, port, type, fingerprint: key.fingerprint }] : [],
  )
  return changedKeyIn(message, keys)
}

function Found({ discovery, onChoose }: { discovery: Discovery; onChoose(site: ZotonicSite): void }) {
  const known = useSites().data?.sites.map(({ site }) => site.name) ?? []
  if (discovery.sites.length === 0)
    return <p className={classes.explain}>The command {discovery.command} tells of no site. A site can be added by hand.</p>
  return (
    <ul className={classes.found}>
      {discovery.sites.map((site) => (
        <li key={site.name}>
          <div>
            <b>{site.name}</b>
            <Badge tone={site.state === 'running' ? 'ok' : 'neutral'}>{site.state}</Badge>
            {site.environment !== null && <Badge tone="outline">{site.environment}</Badge>}
          </div>
          <p>
            {site.hostname !== null && `${site.hostname}. `}
            Found: {foundText(site)}.
          </p>
          {site.missing.map((sentence) => (
            <p key={sentence} className={classes.missing}>
              {sentence}
            </p>
          ))}
          {known.includes(site.name) ? (
            <p>Added already.</p>
          ) : (
            <Button data-size="small" aria-label={`Choose ${site.name}`} onClick={() => onChoose(site)}>
              Choose
            </Button>
          )}
        </li>
      ))}
    </ul>
  )
}
