import { z } from 'zod'
import { formatBytes, formatPlural } from '#shared/format.ts'
import type { Job } from '#shared/model/job.ts'
import { partWord } from '../../lib/copies.ts'
import classes from './jobs.module.css'

const resultSchema = z.object({
  name: z.string(),
  parts: z.array(z.object({ part: z.enum(['database', 'config', 'files']), file: z.string(), size: z.number() })),
  problems: z.array(z.object({ path: z.string(), text: z.string() })),
  problemCount: z.number(),
  /** Which engine wrote the dump, and why that one. */
  dump: z.object({ engine: z.string(), why: z.string() }).optional(),
})

/** What a backup made: its parts, what wrote the dump and why, and what is not, or not wholly, in it. */
export function BackupResult({ job }: { job: Job }) {
  if (job.kind !== 'backup' || job.state !== 'done') return null
  const result = resultSchema.safeParse(job.result)
  if (!result.success) return null
  const { name, parts, problems, problemCount, dump } = result.data
  return (
    <>
      <div className={classes.part}>
        <h3>{name}</h3>
        <dl>
          {parts.map(({ part, file, size }) => (
            <div key={part} title={file}>
              <dt>{partWord(part)}</dt>
              <dd>{formatBytes(size)}</dd>
            </div>
          ))}
          {dump && (
            <div>
              <dt>dump by</dt>
              <dd data-selectable>
                {dump.engine}. {dump.why}
              </dd>
            </div>
          )}
        </dl>
      </div>
      {problemCount > 0 && (
        <div className={classes.part}>
          <h3>Not, or not wholly, in it: {formatPlural(problemCount, 'file')}</h3>
          <ul className={classes.problems}>
            {problems.map(({ path, text }) => (
              <li key={path} data-selectable>
                <code>{path}</code>
                <span>{text}</span>
              </li>
            ))}
          </ul>
          {problemCount > problems.length && <p>The first {problems.length} are listed.</p>}
        </div>
      )}
    </>
  )
}
