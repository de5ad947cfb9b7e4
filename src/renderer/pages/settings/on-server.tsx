import type { SiteDraft } from '../../lib/site-draft.ts'
import { ModBackupFields } from './mod-backup-fields.tsx'
import { ServerCommands, TakePassword } from './server-commands.tsx'
import classes from './settings.module.css'

/** The server's own backups: what its module is set to, its commands, its password. */
export function OnServer({ draft }: { draft: SiteDraft }) {
  return (
    <div className={classes.withPanel}>
      <ModBackupFields site={draft.name} />
      <div className={classes.panels}>
        {draft.server === 'ssh' && <ServerCommands site={draft.name} />}
        <TakePassword site={draft.name} />
      </div>
    </div>
  )
}
