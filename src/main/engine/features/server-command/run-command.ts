import { commandByHand, openSiteZotonic } from '#engine/foundation/connections/zotonic/site-zotonic.ts'
import type { EngineContext } from '#engine/foundation/context.ts'
import type { JobHandle } from '#engine/foundation/jobs/types.ts'
import type { ServerCommand } from '#shared/contract/servers.ts'
import { toAppError } from '#shared/errors.ts'
import type { Site } from '#shared/model/site.ts'

export interface ServerCommandResult {
  output: string
}

const TITLES: Record<ServerCommand, (site: string) => string> = {
  flush: (site) => `Emptying the caches of ${site}`,
  restart: (site) => `Restarting ${site}`,
  status: (site) => `Asking for the state of ${site}`,
}

/** Runs a command of Zotonic on the server of a site. */
export function startServerCommand(context: EngineContext, name: string, command: ServerCommand): JobHandle<ServerCommandResult> {
  return context.jobs.start({
    kind: 'server-command',
    title: TITLES[command](name),
    site: name,
    holds: command === 'restart' ? [`site:${name}`] : [],
    async run(job) {
      const site = await context.sites.get(name)
      const words = wordsOf(command, name)
      job.phase('Connecting', null, 'steps')
      const { zotonic } = await openSiteZotonic(context, site, words, job.signal)
      job.phase(zotonic.byHand(...words), null, 'steps')
      if (command === 'flush') return { output: await zotonic.flush(name, job.signal) }
      if (command === 'restart') return { output: await zotonic.restart(name, job.signal) }
      const { node, sites } = await zotonic.status(job.signal)
      const state = sites.find((listed) => listed.name === name)?.state ?? 'not known there'
      return { output: `${name}: ${state}${node === null ? '' : ` on ${node}`}` }
    },
  })
}

/**
 * Restarts a site after something was put in place under it.
 * @returns `done` false: it was not, and `text` says what the operator must do
 */
export async function restartSite(
  context: Pick<EngineContext, 'ssh' | 'sites'>,
  site: Site,
  signal?: AbortSignal,
): Promise<{ done: boolean; text: string }> {
  return tellOutcome(site, ['restartsite', site.name], async (words) => {
    const { zotonic } = await openSiteZotonic(context, site, words, signal)
    await zotonic.restart(site.name, signal)
    return `Restarted with: ${zotonic.byHand(...words)}`
  })
}

/** Has a site forget what it keeps of its database; else it is an hour until it looks again. Answers as {@link restartSite}. */
export async function flushSite(
  context: Pick<EngineContext, 'ssh' | 'sites'>,
  site: Site,
  signal?: AbortSignal,
): Promise<{ done: boolean; text: string }> {
  return tellOutcome(site, ['flush', site.name], async (words) => {
    const { zotonic } = await openSiteZotonic(context, site, words, signal)
    await zotonic.flush(site.name, signal)
    return `Caches emptied with: ${zotonic.byHand(...words)}`
  })
}

async function tellOutcome(site: Site, words: string[], action: (words: string[]) => Promise<string>) {
  const byHand = commandByHand(site, words)
  if (site.server?.kind !== 'ssh') return { done: false, text: `To do, by you, on the server: ${byHand}` }
  try {
    return { done: true, text: await action(words) }
  } catch (error) {
    const { message, hint, details } = toAppError(error)
    const isTold = typeof details.command === 'string' && hint.includes(details.command)
    return { done: false, text: `${message} ${isTold ? hint : `By hand, on the server: ${byHand}`}` }
  }
}

/** The words of Zotonic's command. */
export function wordsOf(command: ServerCommand, site: string): string[] {
  if (command === 'status') return ['status']
  return [command === 'restart' ? 'restartsite' : 'flush', site]
}
