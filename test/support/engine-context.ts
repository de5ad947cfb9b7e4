import { join } from 'node:path'
import { workerFile } from '#engine/foundation/bundles.ts'
import { openSshConnections } from '#engine/foundation/connections/ssh/connections.ts'
import type { EngineContext, Notice } from '#engine/foundation/context.ts'
import { openHome } from '#engine/foundation/home.ts'
import { type JobQueue, openJobs } from '#engine/foundation/jobs/jobs.ts'
import type { JobContext } from '#engine/foundation/jobs/types.ts'
import { openLocks } from '#engine/foundation/locks.ts'
import { openLog } from '#engine/foundation/log.ts'
import { openPreferences } from '#engine/foundation/settings/preferences.ts'
import { openSecrets } from '#engine/foundation/settings/secrets.ts'
import { openSites } from '#engine/foundation/settings/sites.ts'
import { createWorkers } from '#engine/foundation/workers.ts'
import type { EngineEvent } from '#shared/contract/events.ts'

export interface TestContext {
  context: EngineContext
  jobs: JobQueue
  /** What went out so far. */
  events: EngineEvent[]
  /** What the desktop was told. */
  notices: Notice[]
  close(): Promise<void>
}

/** The real foundation on a home folder; secrets by name instead of a store with a passphrase. Confirms everything. */
export async function openTestContext(
  home: string,
  options: { secrets?: Record<string, string>; env?: NodeJS.ProcessEnv; onEvent?: (event: EngineEvent) => void } = {},
): Promise<TestContext> {
  const events: EngineEvent[] = []
  const notices: Notice[] = []
  const emit = (event: EngineEvent) => {
    events.push(event)
    options.onEvent?.(event)
  }
  const places = await openHome(home)
  const log = openLog(places.logs, 'test')
  const locks = openLocks(places.locks, 'test')
  const secrets = openSecrets({ file: places.secretsFile, locks })
  secrets.addSource(async (name) => options.secrets?.[name] ?? null)
  const jobs = openJobs({ folder: places.jobs, locks, log, program: 'test', emit: (job) => emit({ type: 'job', job }) })
  const workers = createWorkers({ file: workerFile() })
  // the operator's own ~/.ssh has no part in tests
  const around = { userHome: join(home, 'user'), env: options.env ?? {} }
  const ssh = openSshConnections({ knownHostsFile: places.knownHostsFile, locks, workers, around })
  const context: EngineContext = {
    home: places,
    log,
    locks,
    jobs,
    sites: openSites({ home: places, locks, secrets, ssh, onChange: () => {} }),
    secrets,
    preferences: openPreferences(places.settingsFile, locks),
    workers,
    ssh,
    confirm: async () => true,
    emit,
    notify: (notice) => notices.push(notice),
    program: 'test',
    version: '0.0.0',
  }
  return {
    context,
    jobs,
    events,
    notices,
    async close() {
      await jobs.close()
      await ssh.close()
      await workers.close()
      await log.flush()
    },
  }
}

/** The same context, whose jobs tell each phase before they enter it; events alone come too late for short phases. */
export function withPhases(context: EngineContext, onPhase: (name: string, jobId: string) => void): EngineContext {
  const told = (job: JobContext): JobContext => ({
    ...job,
    phase(name, total, unit) {
      job.phase(name, total, unit)
      onPhase(name, job.id)
    },
  })
  return {
    ...context,
    jobs: { ...context.jobs, start: (spec) => context.jobs.start({ ...spec, run: (job) => spec.run(told(job)) }) },
  }
}
