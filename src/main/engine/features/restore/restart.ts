import { restartSite } from '#engine/features/server-command/index.ts'
import type { EngineContext } from '#engine/foundation/context.ts'
import type { JobContext } from '#engine/foundation/jobs/types.ts'
import type { Site } from '#shared/model/site.ts'

/** How a plan says who restarts the site, which has in memory what was replaced under it. */
export function restartStep({ name, server }: Site): { id: string; name: string; detail: string } {
  const command = `zotonic restartsite ${name}`
  const detail = server?.kind === 'ssh' ? `on the server: ${command}` : `by you, on the server: ${command}`
  return { id: 'restart', name: 'Restart the site', detail }
}

export interface Restarted {
  restartNeeded: boolean
  /** What was done, or what is left to do. */
  note: string
}

/** Restarts the site on its server, where that can be reached; else says what is left to do. What was put in place stays in any case. */
export async function restartAfter(context: EngineContext, job: JobContext, site: Site): Promise<Restarted> {
  const isReachable = site.server?.kind === 'ssh'
  if (isReachable) {
    job.phase('Restarting the site')
    job.item('restart', { state: 'running' })
  }
  const { done, text } = await restartSite(context, site, job.signal)
  job.item('restart', { state: done ? 'done' : 'skipped', detail: text })
  const toDo = isReachable ? text : `zotonic restartsite ${site.name}`
  return { restartNeeded: !done, note: done ? text : `Restart the site now, so that it forgets what it has in memory: ${toDo}` }
}
