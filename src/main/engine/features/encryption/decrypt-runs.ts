import { rm } from 'node:fs/promises'
import type { EngineContext } from '#engine/foundation/context.ts'
import { AppError } from '#shared/errors.ts'
import type { Job } from '#shared/model/job.ts'
import { type DecryptRequest, DecryptRun, OUTPUT_HOLD } from './decrypt-run.ts'
import { type LookedAt, lookAtFile } from './look.ts'
import { decryptPartPath } from './output-file.ts'

/** The decrypt jobs of one engine. */
export interface DecryptRuns {
  start(request: DecryptRequest): Promise<string>
  /** @throws AppError `unknown-job`, `unknown-item`, `not-waiting`, `unknown-site` */
  tryPassword(jobId: string, item: string, password: string, rememberFor?: string): Promise<boolean>
  /** @throws AppError `unknown-job`, `unknown-item` */
  skip(jobId: string, item: string): void
  look(files: readonly string[]): Promise<LookedAt[]>
}

export function openDecryptRuns(context: EngineContext): DecryptRuns {
  const runs = new Map<string, DecryptRun>()
  const find = (jobId: string): DecryptRun => {
    const run = runs.get(jobId)
    if (run) return run
    throw new AppError('unknown-job', 'This decryption is over, or another program runs it.', {
      hint: 'See the job; decrypt the file again if it is not done.',
    })
  }
  return {
    async start(request) {
      const run = await DecryptRun.prepare(context, request)
      const jobId = run.start((id) => runs.delete(id))
      runs.set(jobId, run)
      return jobId
    },
    tryPassword: (jobId, item, password, rememberFor) => find(jobId).tryPassword(item, password, rememberFor),
    skip: (jobId, item) => find(jobId).skip(item),
    async look(files) {
      const knownSites = (await context.sites.list()).sites.map(({ site }) => site.name)
      return Promise.all(files.map((file) => lookAtFile(file, knownSites)))
    },
  }
}

/** Removes the part files of an interrupted decrypt job: beside the outputs that it held, under its own id. */
export async function removePartsOfInterruptedJob(job: Job): Promise<void> {
  if (job.kind !== 'decrypt') return
  for (const hold of job.holds) {
    if (hold.startsWith(OUTPUT_HOLD)) await rm(decryptPartPath(hold.slice(OUTPUT_HOLD.length), job.id), { force: true })
  }
}
