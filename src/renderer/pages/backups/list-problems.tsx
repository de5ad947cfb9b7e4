import { Button } from '@mantine/core'
import type { BackupList } from '#shared/model/backup.ts'
import { Notice } from '../../components/states.tsx'
import { navigate, useUi } from '../../stores/ui.ts'
import classes from './backups.module.css'

/** Repositories that could not be listed: what happened, what to do, and the two ways on. */
export function ListProblems(props: { site: string; problems: BackupList['problems']; onRetry(): void }) {
  const { site } = props
  return props.problems.map((problem) => (
    <div key={`${problem.repository} ${problem.code}`} className={classes.problem}>
      <Notice tone="warn" title={problem.message}>
        {problem.hint}
        <div className={classes.problemButtons}>
          {problem.code === 'secrets-locked' ? (
            // what waits for a password is listed anew once the store is open
            <Button data-size="small" onClick={() => void useUi.getState().askUnlock(problem.message)}>
              Unlock…
            </Button>
          ) : (
            <Button data-size="small" onClick={props.onRetry}>
              Try again
            </Button>
          )}
          {problem.repository !== 'vault' && problem.code !== 'secrets-locked' && (
            <Button
              data-size="small"
              variant="subtle"
              onClick={() => navigate({ page: 'site', site, tab: 'settings', section: 'connections' })}
            >
              Test the connection…
            </Button>
          )}
        </div>
      </Notice>
    </div>
  ))
}
