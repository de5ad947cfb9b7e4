import { readdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { Home } from '../home.ts'
import type { Logger } from '../log.ts'
import { adoptCluster, isOwnerAlive, removeCluster } from './cluster.ts'
import { readClusterRecord } from './cluster-record.ts'

/**
 * Looks after clusters whose program died without ending them (a server runs on after kill -9 of its starter): scratch
 * ones are ended and deleted, the demo's is adopted. Called once when an engine starts; quick when there are none.
 * @param demoCluster the folder of the demo's cluster
 */
export async function reapClusters(home: Home, demoCluster: string, log: Logger): Promise<void> {
  for (const name of await readdir(home.scratch).catch(() => [])) {
    const folder = join(home.scratch, name)
    const record = await readClusterRecord(folder)
    if (record?.purpose !== 'scratch' || isOwnerAlive(record)) continue
    try {
      await removeCluster(folder)
      log.info('removed a scratch database whose program is gone', { folder })
    } catch (error) {
      log.warn('a left-over scratch database could not be removed', { folder, reason: String(error) })
    }
  }
  const demo = await readClusterRecord(demoCluster)
  if (demo && !isOwnerAlive(demo) && (await adoptCluster(demoCluster))) log.info('adopted the running demo database')
}
