import { serverSeconds } from '#engine/foundation/connections/ssh/server-clock.ts'
import { openSiteZotonic } from '#engine/foundation/connections/zotonic/site-zotonic.ts'
import type { EngineContext } from '#engine/foundation/context.ts'
import type { JobHandle } from '#engine/foundation/jobs/types.ts'
import { openRepository } from '#engine/foundation/repository/open.ts'
import { NO_LONGER_FOLLOWED } from '#shared/contract/servers.ts'
import { formatDuration, isoSeconds } from '#shared/format.ts'
import { FOLLOW, type FollowOptions, followBackup } from './follow-backup.ts'

export interface ServerBackupResult {
  name: string
  /** ISO, UTC. */
  timestamp: string
  /** False: it was under way already when this began. */
  isOurs: boolean
  seconds: number
}

/** The server's clock when its command is run, against the time that it then writes. */
const CLOCK_SLACK_SECONDS = 5

/**
 * Has Zotonic make a backup on the server, and follows it until the server's index shows it. A cancel ends the following; the
 * server goes on.
 */
export function startServerBackup(
  context: EngineContext,
  name: string,
  options: FollowOptions = FOLLOW,
): JobHandle<ServerBackupResult> {
  return context.jobs.start({
    kind: 'server-backup',
    title: `Backing up ${name} on its server`,
    site: name,
    holds: [`site:${name}`],
    async run(job) {
      const started = Date.now()
      const { signal } = job
      const site = await context.sites.get(name)
      const words = ['backup', name, 'start']
      job.phase('Connecting', null, 'steps')
      const { connection, zotonic } = await openSiteZotonic(context, site, words, signal)
      const repository = await openRepository(context, site, 'server', signal)
      const index = await repository.readIndex()
      const files = new Map((await repository.list(signal)).map((file) => [file.name, file]))
      const newest = Math.max(0, ...[...index.values()].map(({ timestamp }) => timestamp))
      const now = (await serverSeconds(connection, signal)) ?? Math.floor(Date.now() / 1000)
      job.phase('Starting the backup', null, 'steps')
      signal.throwIfAborted()
      const onCancel = () => job.log(NO_LONGER_FOLLOWED)
      signal.addEventListener('abort', onCancel, { once: true })
      try {
        const outcome = await zotonic.startBackup(name, signal)
        const isOurs = outcome === 'started'
        job.log(isOurs ? `${zotonic.byHand(...words)} started it.` : 'A backup was under way already; it is followed.')
        job.phase('The server begins', null, 'steps')
        const since = isOurs ? now - CLOCK_SLACK_SECONDS : newest + 1
        const { name: slot, entry } = await followBackup(repository, name, { index, files, since }, job, options)
        const seconds = (Date.now() - started) / 1000
        job.log(`The server’s index shows ${slot}, after ${formatDuration(seconds)}.`)
        return { name: slot, timestamp: isoSeconds(new Date(entry.timestamp * 1000)), isOurs, seconds }
      } finally {
        signal.removeEventListener('abort', onCancel)
      }
    },
  })
}
