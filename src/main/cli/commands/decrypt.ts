import { resolve } from 'node:path'
import { formatBytes } from '#shared/format.ts'
import type { Job } from '#shared/model/job.ts'
import type { Outcome } from '../exit.ts'
import type { Session } from '../session.ts'

interface DecryptResult {
  files: { path: string; output: string | null; size: number; state: string; message?: string }[]
}

export async function decryptFiles(
  session: Session,
  files: string[],
  options: { out?: string; overwrite?: boolean },
): Promise<Outcome> {
  const { terminal } = session
  const { jobId } = await session.engine.call('decrypt.start', {
    files: files.map((file) => resolve(file)),
    passwords: await session.sources.passwords(),
    overwrite: options.overwrite === true,
    interactive: terminal.canAsk,
    ...(options.out === undefined ? {} : { out: resolve(options.out) }),
  })
  const result = (await session.follow(jobId, (job) => askForPasswords(session, job))).result as DecryptResult
  const text = result.files.map((file) => `${file.output ?? file.path}  ${formatBytes(file.size)}\n`).join('')
  return { result: { ...result, jobId }, text }
}

/** Asks once for each file that no known password opens; an empty answer leaves it alone. */
async function askForPasswords({ engine, terminal }: Session, job: Job): Promise<void> {
  for (const item of job.items.filter((entry) => entry.state === 'needs-password')) {
    const password = await terminal.ask(`Password for ${item.name} (empty: leave it): `, true)
    if (password === '') await engine.call('decrypt.skip', { jobId: job.id, item: item.id })
    else {
      const { accepted } = await engine.call('decrypt.tryPassword', { jobId: job.id, item: item.id, password })
      if (!accepted) terminal.err('It does not fit. Nothing was written.\n')
      // a fitting password may open the other files too: look again before asking for the next
      if (accepted) return
    }
  }
}
