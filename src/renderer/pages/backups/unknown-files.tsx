import { formatBytes, formatPlural } from '#shared/format.ts'
import type { UnknownFile } from '#shared/model/backup.ts'
import { REPOSITORY_LABEL } from '../../components/icons.tsx'
import { REPOSITORIES } from '../../lib/copies.ts'
import classes from './backups.module.css'

const KIND_TEXT: Record<UnknownFile['kind'], string> = {
  stale: 'stale: left by an earlier backup of its slot',
  foreign: 'foreign: not a name of this rotation',
}

/** Files beside an index that it does not name, by repository: shown, never touched. */
export function UnknownFiles({ files }: { files: readonly UnknownFile[] }) {
  const groups = REPOSITORIES.map((repository) => ({
    repository,
    files: files.filter((file) => file.repository === repository),
  })).filter((group) => group.files.length > 0)
  return groups.map(({ repository, files }) => (
    <section key={repository} className={classes.unknown} aria-label={`Files that the index of the ${repository} does not name`}>
      <h2>
        {REPOSITORY_LABEL[repository]}: not in the index <span>{formatPlural(files.length, 'file')}; left alone</span>
      </h2>
      <ul>
        {files.map((file) => (
          <li key={file.file}>
            <code data-selectable title={file.file}>
              {file.file}
            </code>
            <span>{KIND_TEXT[file.kind]}</span>
            <span>{formatBytes(file.size)}</span>
          </li>
        ))}
      </ul>
    </section>
  ))
}
