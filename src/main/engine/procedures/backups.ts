import { randomUUID } from 'node:crypto'
import { type RemoveRequest, startBackup, startPin, startRemove } from '#engine/features/backup/index.ts'
import { listBackups, listFolder, overview } from '#engine/features/listing/index.ts'
import { clearKeptDrills, startDrill, startVerify, startVerifyFolder } from '#engine/features/proof/index.ts'
import type { EngineContext } from '#engine/foundation/context.ts'
import { serverBackupFolder } from '#engine/foundation/repository/open.ts'
import type { Handlers } from '#engine/router.ts'
import type { backups as area } from '#shared/contract/backups.ts'
import { AppError } from '#shared/errors.ts'
import { formatBytes, formatMomentLong, formatPlanLabel, formatPlural } from '#shared/format.ts'
import { storedBytes } from '#shared/model/backup.ts'
import { keptKindOf } from '#shared/rotation.ts'

export function backupsProcedures(context: EngineContext): Handlers<typeof area> {
  return {
    'backups.list': async ({ site, in: where }) => listBackups(context, await context.sites.get(site), where),
    'backups.listFolder': ({ folder }) => listFolder(folder),
    'backups.overview': async () => ({ sites: await overview(context) }),
    'backups.create': async ({ site, to, databaseOnly, engine, compression }) => {
      // a locked store is told now, while the operator is there, and not as the job's failure
      await context.sites.connection(await context.sites.get(site))
      if (to !== 'vault') await confirmOutsideBackup(context, site, to)
      return { jobId: startBackup(context, { site, to, databaseOnly, engine, compression }).id }
    },
    'backups.verify': async (request) => ({ jobId: (await startVerify(context, request)).id }),
    'backups.drill': async (request) => ({ jobId: (await startDrill(context, request)).id }),
    'backups.clearDrills': async () => ({ removed: await clearKeptDrills(context) }),
    'backups.pin': async ({ site, name, timestamp, from }) => {
      await context.sites.get(site)
      const request = { site, name, ...(timestamp === undefined ? {} : { timestamp }), ...(from === undefined ? {} : { from }) }
      return { jobId: startPin(context, request).id }
    },
    'backups.remove': async (request) => ({
      jobId: (await confirmRemoval(context, request)) ? startRemove(context, request).id : null,
    }),
    'backups.verifyFolder': async (request) => ({ jobId: (await startVerifyFolder(context, request)).id }),
  }
}

/** A backup into the server's folder or the filestore replaces a slot there. In the terminal the command itself says so. */
async function confirmOutsideBackup(context: EngineContext, name: string, to: 'server' | 'filestore'): Promise<void> {
  if (context.program !== 'window') return
  const site = await context.sites.get(name)
  const id = randomUUID()
  const confirmed = await context.confirm({
    id,
    title: to === 'server' ? 'Back up onto the server' : 'Back up into the filestore',
    question: to === 'server' ? `Back up ${name} into the server’s folder of ${name}?` : `Back up ${name} into its filestore?`,
    text:
      to === 'server'
        ? 'The server lists this backup with its own, and restores from it.'
        : 'A standby of the site may take this backup as its newest, and becomes what is in it.',
    facts: [
      { label: 'Replaced', text: 'The older backup in the slot of today, if there is one.' },
      {
        label: 'Written',
        text: `One backup in ${to === 'server' ? (serverBackupFolder(site) ?? 'the server’s folder') : `the bucket ${site.filestore?.bucket}`}.`,
      },
      { label: 'Stays', text: 'The live site, and every other backup.' },
      { label: 'Way back', text: 'None for the replaced backup; copies elsewhere stay.' },
    ],
    typedName: name,
    action: `Back up ${name}`,
    planLabel: formatPlanLabel(id),
  })
  if (!confirmed) {
    throw new AppError('not-confirmed', 'Not confirmed. Nothing was changed.', {
      hint: 'A backup into the vault needs no confirmation.',
    })
  }
}

/** @throws AppError `not-removable`: a backup of the rotation, which nobody needs to be asked about */
async function confirmRemoval(context: EngineContext, { site: siteName, name, timestamp }: RemoveRequest): Promise<boolean> {
  const site = await context.sites.get(siteName)
  const kind = keptKindOf(siteName, name)
  const list = await listBackups(context, site, 'vault')
  const backup = list.backups.find((candidate) => candidate.name === name && candidate.timestamp === timestamp)
  if (kind === null || !backup) {
    throw new AppError(
      'not-removable',
      `There is no safety or pinned backup of that name and time in the vault. Nothing was removed.`,
      {
        hint: 'The rotation replaces its own backups; those of a server are the server’s.',
        details: { site: siteName, name },
      },
    )
  }
  const id = randomUUID()
  return context.confirm({
    id,
    title: 'Delete a backup',
    question: `Delete ${name} of ${siteName} from the vault?`,
    text: `The ${kind} backup of ${formatMomentLong(timestamp)} goes for good.`,
    facts: [
      { label: 'Deleted', text: `${formatPlural(backup.parts.length, 'file')}, ${formatBytes(storedBytes(backup))}.` },
      { label: 'Stays', text: 'The live site, the rotation’s backups and all copies elsewhere.' },
      { label: 'Way back', text: 'None.' },
    ],
    typedName: siteName,
    action: `Delete from ${siteName}`,
    planLabel: formatPlanLabel(id),
  })
}
