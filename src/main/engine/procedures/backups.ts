import { randomUUID } from 'node:crypto'
import { startBackup } from '#engine/features/backup/index.ts'
import { listBackups, listFolder, overview } from '#engine/features/listing/index.ts'
import { clearKeptDrills, startDrill, startVerify, startVerifyFolder } from '#engine/features/proof/index.ts'
import type { EngineContext } from '#engine/foundation/context.ts'
import { serverBackupFolder } from '#engine/foundation/repository/open.ts'
import type { Handlers } from '#engine/router.ts'
import type { backups as area } from '#shared/contract/backups.ts'
import { AppError } from '#shared/errors.ts'
import { beingBuilt } from './being-built.ts'

export function backupsProcedures(context: EngineContext): Handlers<typeof area> {
  return {
    'backups.list': async ({ site, in: where }) => listBackups(context, await context.sites.get(site), where),
    'backups.listFolder': ({ folder }) => listFolder(folder),
    'backups.overview': async () => ({ sites: await overview(context) }),
    'backups.create': async ({ site, to, databaseOnly, engine, compression }) => {
      // a locked store is told now, while the operator is there, and not as the job's failure
      await context.sites.connection(await context.sites.get(site))
      if (to === 'server') await confirmServerBackup(context, site)
      return { jobId: startBackup(context, { site, to, databaseOnly, engine, compression }).id }
    },
    'backups.verify': async (request) => ({ jobId: (await startVerify(context, request)).id }),
    'backups.drill': async (request) => ({ jobId: (await startDrill(context, request)).id }),
    'backups.clearDrills': async () => ({ removed: await clearKeptDrills(context) }),
    'backups.pin': beingBuilt,
    'backups.remove': beingBuilt,
    'backups.verifyFolder': async (request) => ({ jobId: (await startVerifyFolder(context, request)).id }),
  }
}

/** A backup into the server's folder replaces a slot there. In the terminal the command itself says so. */
async function confirmServerBackup(context: EngineContext, name: string): Promise<void> {
  if (context.program !== 'window') return
  const site = await context.sites.get(name)
  const id = randomUUID()
  const confirmed = await context.confirm({
    id,
    title: 'Back up onto the server',
    question: `Back up ${name} into the server’s folder of ${name}?`,
    text: 'The server lists this backup with its own, and restores from it.',
    facts: [
      { label: 'Replaced', text: 'The older backup in the slot of today, if there is one.' },
      { label: 'Written', text: `One backup in ${serverBackupFolder(site) ?? 'the server’s folder'}.` },
      { label: 'Stays', text: 'The live site, and every other backup.' },
      { label: 'Way back', text: 'None for the replaced backup; copies elsewhere stay.' },
    ],
    typedName: name,
    action: `Back up ${name}`,
    planLabel: `Plan ${id.slice(0, 4).toUpperCase()}-${id.slice(4, 8).toUpperCase()}, valid once`,
  })
  if (!confirmed) {
    throw new AppError('not-confirmed', 'Not confirmed. Nothing was changed.', {
      hint: 'A backup into the vault needs no confirmation.',
    })
  }
}
