import type { EngineContext } from '#engine/foundation/context.ts'
import type { JobHandle } from '#engine/foundation/jobs/types.ts'
import type { ZotonicSite } from '#shared/model/server.ts'
import type { SshSecrets, SshSettings, ZotonicSettings } from '#shared/model/site.ts'
import { discover } from './discover.ts'
import { getDiscovery, keepDiscovery } from './shelf.ts'

export { withDiscovered } from './shelf.ts'

export interface DiscoverRequest {
  ssh: SshSettings
  sshSecrets?: SshSecrets | undefined
  zotonic?: ZotonicSettings | undefined
}

/** What a job of the kind `discover` ends with. */
export interface DiscoverResult {
  /** Names what stays in memory for an hour, secrets included. */
  discovery: string
  command: string
  runAs: string | null
  sites: ZotonicSite[]
}

/** Looks at the sites of a server; changes nothing there. */
export function startDiscovery(context: EngineContext, request: DiscoverRequest): JobHandle<DiscoverResult> {
  const { ssh: settings, sshSecrets = {}, zotonic = {} } = request
  return context.jobs.start({
    kind: 'discover',
    title: `Looking for sites on ${settings.host}`,
    holds: [],
    async run(job) {
      const found = await discover(context, job, { settings, secrets: sshSecrets }, zotonic)
      return { discovery: keepDiscovery(context, found), ...withoutSecrets(found) }
    },
  })
}

/** What was found on a server within the last hour. @throws AppError `discovery-unknown` */
export function discovered(context: EngineContext, id: string): Omit<DiscoverResult, 'discovery'> {
  return withoutSecrets(getDiscovery(context, id))
}

function withoutSecrets({ command, runAs, sites }: Omit<DiscoverResult, 'discovery'>): Omit<DiscoverResult, 'discovery'> {
  return { command, runAs, sites }
}
