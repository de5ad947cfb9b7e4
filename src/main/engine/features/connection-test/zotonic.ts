import type { SshConnection } from '#engine/foundation/connections/ssh/types.ts'
import { openZotonic, type Zotonic } from '#engine/foundation/connections/zotonic/zotonic.ts'
import { AppError } from '#shared/errors.ts'
import type { ZotonicSettings } from '#shared/model/site.ts'
import { failed, passed, type Steps, warning } from './steps.ts'

const STEPS = ['Command', 'Runs', 'Site']

/** Tries Zotonic's own command on the server; changes nothing. */
export async function testZotonic(
  steps: Steps,
  connection: SshConnection | null,
  site: string,
  settings: ZotonicSettings,
): Promise<void> {
  if (!connection) return steps.skip(STEPS, 'the server was not reached')
  let zotonic: Zotonic | null = null
  await steps.try('Command', async () => {
    try {
      zotonic = await openZotonic(connection, settings)
      return passed(zotonic.byHand())
    } catch (error) {
      if (!(error instanceof AppError) || error.code !== 'zotonic-missing') throw error
      // all but running something there works without it
      return warning(error.message, `${error.hint} Without it sites are not backed up, flushed or restarted from here.`)
    }
  })
  const found = zotonic as Zotonic | null
  if (!found) return steps.skip(STEPS.slice(1), 'the command was not found')
  const runs = await steps.try('Runs', async () => {
    const version = await found.version()
    return passed(version === null ? 'It runs' : `Zotonic ${version}`)
  })
  if (!runs) return steps.skip(['Site'], 'the command does not run')
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
