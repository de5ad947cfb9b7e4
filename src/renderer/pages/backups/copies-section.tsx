import { Button } from '@mantine/core'
import { IconCheck } from '@tabler/icons-react'
import { icon14, REPOSITORY_LABEL } from '../../components/icons.tsx'
import { PaneSection } from '../../components/pane.tsx'
import type { BackupRow } from '../../lib/join-backups.ts'
import type { RepositoryPlace } from '../../lib/site-places.ts'
import { verifyBackup } from './backup-actions.tsx'
import { COPY_MARK } from './copy-cell.tsx'
import classes from './inspector.module.css'

/** Where a backup is and where it is not, each with its place. */
export function CopiesSection(props: { site: string; row: BackupRow; places: readonly RepositoryPlace[]; isVerifying: boolean }) {
  const { site, row, places } = props
  return (
    <PaneSection title="Copies">
      {places.map(({ repository, place }) => {
        const copy = row.copies[repository]
        const label = REPOSITORY_LABEL[repository]
        return (
          <div key={repository} className={classes.copy}>
            <span>{label}</span>
            <CopyWord row={row} repository={repository} />
            {copy && places.length > 1 && (
              <Button
                data-size="inline"
                variant="subtle"
                disabled={props.isVerifying}
                aria-label={`Verify the ${label.toLowerCase()} copy`}
                onClick={() => void verifyBackup(site, row, repository)}
              >
                Verify
              </Button>
            )}
            <code data-selectable title={place}>
              {place}
            </code>
          </div>
        )
      })}
    </PaneSection>
  )
}

function CopyWord({ row, repository }: { row: BackupRow; repository: RepositoryPlace['repository'] }) {
  const copy = row.copies[repository]
  if (copy?.state === 'present')
    return (
      <span data-tone="quiet" title={copy.note || undefined}>
        <IconCheck {...icon14} /> {copy.note === '' ? 'here' : 'here, without media'}
      </span>
    )
  const marked = copy ?? row.absent[repository]
  if (!marked || marked.state === 'present' || marked.state === 'later')
    return (
      <span data-tone="quiet" title={marked?.reason}>
        –
      </span>
    )
  const { Icon, word, tone } = COPY_MARK[marked.state]
  return (
    <span data-tone={tone} title={marked.reason}>
      <Icon {...icon14} /> {word}
    </span>
  )
}
