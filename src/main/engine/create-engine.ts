import type { EngineEvent } from '#shared/contract/events.ts'
import type { ProcedureInput, ProcedureName, ProcedureOutput } from '#shared/contract/index.ts'
import type { Confirmation } from '#shared/model/plan.ts'
import { attachDemo, closeDemo } from './features/demo/index.ts'
import { type RepositoryWatch, watchRepositories } from './features/listing/index.ts'
import { type Scheduler, startScheduler } from './features/schedule/index.ts'
import { workerFile } from './foundation/bundles.ts'
import { collectAtOnce } from './foundation/collect-at-once.ts'
import { openSshConnections } from './foundation/connections/ssh/connections.ts'
import type { EngineContext, Notice } from './foundation/context.ts'
import { openHome } from './foundation/home.ts'
import { openJobs } from './foundation/jobs/jobs.ts'
import { openLocks } from './foundation/locks.ts'
import { openLog } from './foundation/log.ts'
import { openPreferences } from './foundation/settings/preferences.ts'
import { openSecrets } from './foundation/settings/secrets.ts'
import { openSites } from './foundation/settings/sites.ts'
import { createWorkers } from './foundation/workers.ts'
import { createHandlers } from './procedures/index.ts'
import { recoverInterruptedWork } from './recovery.ts'
import { createRouter } from './router.ts'

/** Desktops show some lines at most. */
const NOTICE_LENGTH = 300

export interface EngineOptions {
  homePath: string
  /** 'window' or 'zbd'. */
  program: string
  version: string
  /** The shell's confirmation window, or the terminal's. */
  confirm(confirmation: Confirmation): Promise<boolean>
  emit(event: EngineEvent): void
  /** The desktop's notifications; default: none. */
  notify?(notice: Notice): void
  /** Where there is a terminal to ask; null: no answer. */
  askPassphrase?(purpose: 'unlock' | 'create'): Promise<string | null>
}

/** Everything behind the window and behind `zbd`. */
export interface Engine {
  readonly context: EngineContext
  call<N extends ProcedureName>(name: N, input: ProcedureInput<N>): Promise<ProcedureOutput<N>>
  /** For names and inputs that come from outside: both are checked. */
  callUntrusted(name: string, input: unknown): Promise<unknown>
  /** Resolves when what earlier crashes left behind is cleared up. */
  readonly recovered: Promise<void>
  /** Cancels jobs, waits for them, lets go of everything. */
  close(): Promise<void>
}

/** Opens the home folder and everything in it. Repairs after a crash go on in the background; changes wait for them. */
export async function createEngine(options: EngineOptions): Promise<Engine> {
  collectAtOnce()
  const { program, version } = options
  let scheduler: Scheduler | null = null
  let watch: RepositoryWatch | null = null
  const emit = (event: EngineEvent) => {
    options.emit(event)
    // a night that was just switched on, or whose passwords were just opened, need not wait for the clock
    if (event.type === 'sites-changed' || event.type === 'secrets-changed') void scheduler?.tick()
    if (event.type === 'sites-changed') watch?.sitesChanged()
    // what our own jobs wrote shows at once, and what was locked may be open now
    if (event.type === 'backups-changed') watch?.check(event.site)
    if (event.type === 'secrets-changed') watch?.check(null)
  }
  const home = await openHome(options.homePath)
  const log = openLog(home.logs, program)
  const locks = openLocks(home.locks, program)
  const secrets = openSecrets({
    file: home.secretsFile,
    locks,
    ...(options.askPassphrase ? { askPassphrase: options.askPassphrase } : {}),
    onChange: (state) => emit({ type: 'secrets-changed', state }),
  })
  const workers = createWorkers({ file: workerFile() })
  const ssh = openSshConnections({ knownHostsFile: home.knownHostsFile, locks, workers })
  const sites = openSites({ home, locks, secrets, ssh, onChange: () => emit({ type: 'sites-changed' }) })
  const jobs = openJobs({ folder: home.jobs, locks, log, program, emit: (job) => emit({ type: 'job', job }) })
  const preferences = openPreferences(home.settingsFile, locks)
  const context: EngineContext = {
    home,
    log,
    locks,
    jobs,
    sites,
    secrets,
    preferences,
    workers,
    ssh,
    confirm: options.confirm,
    emit,
    notify: (notice) => options.notify?.({ ...notice, text: notice.text.slice(0, NOTICE_LENGTH) }),
    program,
    version,
  }
  attachDemo(context)
  // what it tells is known to it already; a terminal shows what is there when it is asked
  if (program === 'window') watch = watchRepositories({ ...context, emit: options.emit })
  const recovered = recoverInterruptedWork(context, jobs).catch((error) => log.error('repairs after a crash failed', { error }))
  let isClosing = false
  const nights = recovered.then(() => {
    // a terminal runs the nights when it is told to
    if (program === 'window' && !isClosing) scheduler = startScheduler(context)
    return scheduler?.tick()
  })
  const router = createRouter(createHandlers(context), async (procedure) => {
    if (procedure.effect !== 'read') await recovered
  })
  log.info('engine started', { version, home: home.root })
  return {
    context,
    recovered,
    call: (name, input) => router.call(name, input) as Promise<ProcedureOutput<typeof name>>,
    callUntrusted: router.call,
    async close() {
      isClosing = true
      await nights
      const nightsEnded = scheduler?.close()
      const watchEnded = watch?.close()
      await jobs.close()
      await nightsEnded
      await watchEnded
      await closeDemo(context).catch((error) => log.warn('the demo site could not be stopped', { error }))
      await ssh.close()
      await workers.close()
      log.info('engine stopped')
      await log.flush()
    },
  }
}
