import { Button } from '@mantine/core'
import { IconDatabaseShare, IconKey, IconRefresh, IconStethoscope, IconWind } from '@tabler/icons-react'
import { type ReactNode, useState } from 'react'
import type { ServerCommand } from '#shared/contract/servers.ts'
import { icon16 } from '../../components/icons.tsx'
import { JobStateIcon } from '../../components/job-state.tsx'
import { backUpOnServer } from '../../lib/back-up.ts'
import { outcomeText } from '../../lib/jobs.ts'
import { runOnServer } from '../../lib/server-commands.ts'
import { showError } from '../../lib/show-error.ts'
import { callUnlocking, queryClient, useModBackup, useSite } from '../../queries.ts'
import { useJobList } from '../../stores/jobs.ts'
import { ServerOutput } from '../jobs/server-results.tsx'
import classes from './settings.module.css'

const COMMANDS: { command: ServerCommand; label: string; text: string; icon: ReactNode }[] = [
  { command: 'status', label: 'Status', text: 'What Zotonic says of the site.', icon: <IconStethoscope {...icon16} /> },
  {
    command: 'flush',
    label: 'Flush',
    text: 'The site forgets what it holds in memory and reads it anew.',
    icon: <IconWind {...icon16} />,
  },
  {
    command: 'restart',
    label: 'Restart…',
    text: 'Visitors get no answer for some seconds; asks first.',
    icon: <IconRefresh {...icon16} />,
  },
]

/** What Zotonic's command on the server can do for the site, and what the last one said. */
export function ServerCommands({ site }: { site: string }) {
  const jobs = useJobList(site).filter(({ kind }) => kind === 'server-command' || kind === 'server-backup')
  const last = jobs[0]
  return (
    <section className={classes.panel} aria-label="Commands on the server">
      <div className={classes.panelHead}>
        <h2>On the server</h2>
      </div>
      <Line
        icon={<IconDatabaseShare {...icon16} />}
        text="Zotonic itself makes a backup, in its own folder; asks first."
        button={
          <Button data-size="small" aria-label={`Back up ${site} on the server`} onClick={() => void backUpOnServer(site)}>
            Back up…
          </Button>
        }
      />
      {COMMANDS.map(({ command, label, text, icon }) => (
        <Line
          key={command}
          icon={icon}
          text={text}
          button={
            <Button
              data-size="small"
              aria-label={`${label.replace('…', '')} ${site} on the server`}
              onClick={() => void runOnServer(site, command)}
            >
              {label}
            </Button>
          }
        />
      ))}
      {last && (
        <div className={classes.lastCommand} role="status">
          <p>
            <JobStateIcon job={last} /> {last.title}: {outcomeText(last)}
          </p>
          <ServerOutput job={last} />
        </div>
      )}
    </section>
  )
}

/** The site's own encryption password: read only when asked for, and never shown. */
export function TakePassword({ site }: { site: string }) {
  const hasPassword = useModBackup(site).data?.hasPassword
  const isStored = useSite(site).data?.hasEncryptionPassword ?? false
  const [asking, setAsking] = useState(false)
  const [busy, setBusy] = useState(false)
  const [said, setSaid] = useState<string | null>(null)
  if (hasPassword === undefined) return null
  const take = async () => {
    setBusy(true)
    try {
      const { text } = await callUnlocking('servers.takePassword', { site })
      setSaid(text)
      setAsking(false)
      await queryClient.invalidateQueries({ queryKey: ['sites'] })
    } catch (error) {
      showError(error)
    }
    setBusy(false)
  }
  return (
    <section className={classes.panel} aria-label="The site’s own password">
      <div className={classes.panelHead}>
        <h2>The site’s own password</h2>
      </div>
      {!hasPassword && <p className={classes.explain}>No encryption password is set on the server.</p>}
      {hasPassword && !asking && (
        <>
          <p className={classes.explain} role="status">
            {said ?? 'The server encrypts with a password that stands in its database; its .enc files open with it.'}
          </p>
          <div>
            <Button
              data-size="small"
              leftSection={<IconKey {...icon16} />}
              onClick={() => (isStored ? void take() : setAsking(true))}
            >
              Take the site’s own password
            </Button>
          </div>
        </>
      )}
      {hasPassword && asking && (
        <>
          <p className={classes.explain}>
            Backup Desk reads the password from the database of {site}, tries it on the newest encrypted backup and, if it fits,
            keeps it in the secret store of this computer. It is never shown.
          </p>
          <div className={classes.askButtons}>
            <Button data-size="small" variant="filled" loading={busy} onClick={() => void take()}>
              Read and try it
            </Button>
            <Button data-size="small" onClick={() => setAsking(false)}>
              Not now
            </Button>
          </div>
        </>
      )}
    </section>
  )
}

function Line({ icon, text, button }: { icon: ReactNode; text: string; button: ReactNode }) {
  return (
    <div className={classes.commandLine}>
      {icon}
      <p>{text}</p>
      {button}
    </div>
  )
}
