import { formatBytes, formatPlural } from '#shared/format.ts'
import type { UnknownFile } from '#shared/model/backup.ts'
import { REPOSITORY_LABEL } from '../../components/icons.tsx'
import classes from './backups.module.css'

const KIND_TEXT: Record<UnknownFile['kind'], string> = {
  stale: 'stale: left by an earlier backup of its slot',
  foreign: 'foreign: not a name of this rotation',
}

/** Files beside an index that it does not name: shown, never touched. */
export function UnknownFiles({ files }: { files: readonly UnknownFile[] }) {
  if (files.length === 0) return null
  return (
    <section className={classes.unknown} aria-label="Files that no index names">
      <h2>
        Not in the index <span>{formatPlural(files.length, 'file')}; left alone</span>
      </h2>
      <ul>
        {files.map((file) => (
          <li key={`${file.repository} ${file.file}`}>
            <code data-selectable>{file.file}</code>
            <span>{KIND_TEXT[file.kind]}</span>
            <span>{file.repository === 'folder' ? 'Folder' : REPOSITORY_LABEL[file.repository]}</span>
            <span>{formatBytes(file.size)}</span>
          </li>
        ))}
      </ul>
    </section>
  )
}
