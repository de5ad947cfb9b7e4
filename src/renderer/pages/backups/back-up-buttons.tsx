import { Button, Menu } from '@mantine/core'
import { IconArrowsExchange, IconChevronDown, IconDatabasePlus, IconFlask } from '@tabler/icons-react'
import type { RepositoryName } from '#shared/model/backup.ts'
import type { Command } from '../../commands.ts'
import { icon16 } from '../../components/icons.tsx'
import { backUp, backUpOnServer } from '../../lib/back-up.ts'
import type { BackupRow } from '../../lib/join-backups.ts'
import { useSite } from '../../queries.ts'
import { navigate } from '../../stores/ui.ts'
import { drillBackup } from './backup-actions.tsx'
import classes from './backups.module.css'

/** The page's actions: repositories in step, drill the newest, and a backup now, into the vault unless the menu says otherwise. */
export function BackUpButtons(props: { site: string; repositories: readonly RepositoryName[]; newest: BackupRow | null }) {
  const { site, newest } = props
  const settings = useSite(site).data?.site
  const [sync] = syncCommands(site, props.repositories)
  return (
    <>
      {sync && (
        <Button
          leftSection={<IconArrowsExchange {...icon16} />}
          title="Compare two places and copy what one lacks"
          onClick={sync.run}
        >
          Bring in step…
        </Button>
      )}
      {newest && (
        <Button leftSection={<IconFlask {...icon16} />} aria-label="Drill newest" onClick={() => void drillBackup(site, newest)}>
          Drill<span className={classes.wide}>&nbsp;newest</span>
        </Button>
      )}
      <div className={classes.split}>
        <Button
          variant="filled"
          leftSection={<IconDatabasePlus {...icon16} />}
          aria-label={`Back up ${site} now`}
          onClick={() => void backUp(site, 'vault')}
        >
          Back up now
        </Button>
        <Menu width={280}>
          <Menu.Target>
            <Button variant="filled" aria-label="Other ways to back up">
              <IconChevronDown {...icon16} />
            </Button>
          </Menu.Target>
          <Menu.Dropdown>
            <Menu.Item onClick={() => void backUp(site, 'vault')}>
              Everything
              <span className={classes.menuHint}>Database, files and configuration, into the vault</span>
            </Menu.Item>
            <Menu.Item onClick={() => void backUp(site, 'vault', true)}>
              Database only
              <span className={classes.menuHint}>Into the vault on this computer</span>
            </Menu.Item>
            {settings?.server && (
              <Menu.Item onClick={() => void backUp(site, 'server')}>
                Into the server’s folder…
                <span className={classes.menuHint}>Replaces the slot of today on {site}'s server; asks first</span>
              </Menu.Item>
            )}
            {settings?.filestore && (
              <Menu.Item onClick={() => void backUp(site, 'filestore')}>
                Into the filestore…
                <span className={classes.menuHint}>Replaces the slot of today in {settings.filestore.bucket}; asks first</span>
              </Menu.Item>
            )}
            {settings?.server?.kind === 'ssh' && (
              <Menu.Item onClick={() => void backUpOnServer(site)}>
                On the server…
                <span className={classes.menuHint}>Zotonic itself makes it, in its own folder; asks first</span>
              </Menu.Item>
            )}
          </Menu.Dropdown>
        </Menu>
      </div>
    </>
  )
}

/** Bringing repositories in step, the usual one first: what the vault lacks. */
export function syncCommands(site: string, repositories: readonly RepositoryName[]): Command[] {
  const far = repositories.filter((repository) => repository !== 'vault')
  const pairs = [
    ...far.map((from) => ({ from, to: 'vault' as RepositoryName })),
    ...far.flatMap((to) => repositories.filter((from) => from !== to).map((from) => ({ from, to }))),
  ]
  return pairs.map(({ from, to }, index) => ({
    id: index === 0 ? 'sync' : `sync-${from}-${to}`,
    title: `Bring in step: ${from} to ${to} of ${site}…`,
    group: 'Actions',
    run: () => navigate({ page: 'transfer', site, from, to }),
  }))
}
