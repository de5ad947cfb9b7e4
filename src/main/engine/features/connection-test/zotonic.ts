import type { SshConnection } from '#engine/foundation/connections/ssh/types.ts'
import { openZotonic, type Zotonic } from '#engine/foundation/connections/zotonic/zotonic.ts'
import { AppError } from '#shared/errors.ts'
import type { ZotonicSettings } from '#shared/model/site.ts'
import { failed, passed, type Steps, warning } from './steps.ts'

const STEPS = ['Command', 'Site']

/** Tries Zotonic's own command on the server; changes nothing. */
export async function testZotonic(
  steps: Steps,
  connection: SshConnection | null,
  site: string,
  settings: ZotonicSettings,
): Promise<void> {
  if (!connection) return steps.skip(STEPS, 'the server was not reached')
  let zotonic: Zotonic | null = null
  const runs = await steps.try('Command', async () => {
    try {
      zotonic = await openZotonic(connection, settings)
      const version = await zotonic.version()
      return passed(`${zotonic.byHand()}${version === null ? '' : `, Zotonic ${version}`}`)
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'zotonic-missing' || settings.command !== undefined) throw error
      // all but running something there works without it
      return warning(error.message, `${error.hint} Without it sites are not backed up, flushed or restarted from here.`)
    }
  })
  const found = zotonic as Zotonic | null
  if (!found || !runs) return steps.skip(['Site'], 'the command does not run')
  await steps.try('Site', async () => {
    const { node, sites } = await found.status()
    const state = sites.find(({ name }) => name === site)?.state
    if (state === undefined) {
      const names = sites.map(({ name }) => name).join(', ')
      return failed(`${site} is not among the sites there`, names === '' ? 'There are no sites.' : `There are: ${names}.`)
    }
    const text = `${site}: ${state}${node === null ? '' : ` on ${node}`}`
    return state === 'running' ? passed(text) : warning(text, `Start it on the server: ${found.byHand('startsite', site)}`)
  })
}
