import { Button } from '@mantine/core'
import { IconCheck, IconFlask2, IconLockOpen, IconPlug, IconPlus } from '@tabler/icons-react'
import type { ReactNode } from 'react'
import type { SettingsProblem } from '#shared/contract/sites.ts'
import { icon14, icon16, REPOSITORY_ICON } from '../../components/icons.tsx'
import { ProgressBar } from '../../components/progress.tsx'
import { ErrorBox } from '../../components/states.tsx'
import { chooseAndDecrypt } from '../../lib/decrypt-start.ts'
import { openDemo, useDemoJob } from '../../lib/demo.ts'
import { fraction, phaseText } from '../../lib/jobs.ts'
import { useDemoState } from '../../queries.ts'
import { navigate } from '../../stores/ui.ts'
import classes from './first-run.module.css'
import { Problems } from './problems.tsx'

/** No site yet: two ways on, and the drop as a third. */
export function FirstRun({ problems }: { problems: readonly SettingsProblem[] }) {
  return (
    <main className={classes.page}>
      <div className={classes.content}>
        <div className={classes.drawing} aria-hidden="true">
          <Place icon={<REPOSITORY_ICON.server size={24} stroke={1.75} />} label="server" />
          <i />
          <Place icon={<REPOSITORY_ICON.vault size={24} stroke={1.75} />} label="this computer" accent />
        </div>
        <h1>No site is protected from here yet</h1>
        <p className={classes.lead}>
          Backup Desk reads the backups that your Zotonic servers already make, keeps copies of them, and proves that they
          restore.
        </p>
        <Problems problems={problems} />
        <div className={classes.cards}>
          <section className={classes.card}>
            <span className={`${classes.icon} ${classes.accent}`}>
              <IconPlug {...icon16} />
            </span>
            <h2>Add a site</h2>
            <p>Connect to its database, and to the folders of its server.</p>
            <ul>
              <Point>Host and user of PostgreSQL</Point>
              <Point>The site’s folders, if they are on this computer</Point>
              <Point>Tested step by step; nothing is changed</Point>
            </ul>
            <Button variant="filled" leftSection={<IconPlus {...icon16} />} onClick={() => navigate({ page: 'add-site' })}>
              Add a site…
            </Button>
          </section>
          <DemoCard />
        </div>
        <button type="button" className={classes.drop} onClick={() => void chooseAndDecrypt()}>
          <IconLockOpen {...icon16} />
          Only have .enc files? Drop them anywhere on this window to decrypt them.
        </button>
      </div>
    </main>
  )
}

function Place({ icon, label, accent = false }: { icon: ReactNode; label: string; accent?: boolean }) {
  return (
    <div className={classes.place}>
      <span className={accent ? classes.placeAccent : undefined}>{icon}</span>
      {label}
    </div>
  )
}

function Point({ children }: { children: ReactNode }) {
  return (
    <li>
      <IconCheck {...icon14} />
      {children}
    </li>
  )
}

function DemoCard() {
  const demo = useDemoState().data
  const { job, error } = useDemoJob()
  return (
    <section className={classes.card} aria-label="Open the demo site">
      <span className={classes.icon}>
        <IconFlask2 {...icon16} />
      </span>
      <h2>Open the demo site</h2>
      <p>Real backups and a real database, on this computer only.</p>
      <ul>
        <Point>Back up, verify, restore: no risk</Point>
        <Point>Takes about 20 s the first time</Point>
        <Point>Removed in one step, in Preferences</Point>
      </ul>
      {error && !job && <ErrorBox error={error} />}
      {job ? (
        <div className={classes.progress}>
          <ProgressBar value={job.phase ? fraction(job.phase.done, job.phase.total) : null} label={job.title} />
          <span>{job.phase ? phaseText(job.phase) : 'Starting'}</span>
        </div>
      ) : (
        <Button disabled={demo?.available === false} onClick={() => void openDemo()}>
          Open the demo site
        </Button>
      )}
      {demo?.available === false && (
        <p className={classes.note}>This package has no database server for this kind of computer.</p>
      )}
    </section>
  )
}
