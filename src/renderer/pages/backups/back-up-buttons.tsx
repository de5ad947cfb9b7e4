import { Button, Menu } from '@mantine/core'
import { IconChevronDown, IconDatabasePlus, IconFlask } from '@tabler/icons-react'
import { icon16 } from '../../components/icons.tsx'
import { backUp } from '../../lib/back-up.ts'
import type { BackupRow } from '../../lib/join-backups.ts'
import { useSite } from '../../queries.ts'
import { drillBackup } from './backup-actions.tsx'
import classes from './backups.module.css'

/** The page's actions: drill the newest, and a backup now, into the vault unless the menu says otherwise. */
export function BackUpButtons({ site, newest }: { site: string; newest: BackupRow | null }) {
  const hasServer = useSite(site).data?.site.server !== undefined
  return (
    <>
      {newest && (
        <Button leftSection={<IconFlask {...icon16} />} onClick={() => void drillBackup(site, newest)}>
          Drill newest
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
            {hasServer && (
              <Menu.Item onClick={() => void backUp(site, 'server')}>
                Into the server's folder…
                <span className={classes.menuHint}>Replaces the slot of today on {site}'s server; asks first</span>
              </Menu.Item>
            )}
          </Menu.Dropdown>
        </Menu>
      </div>
    </>
  )
}
