import { QueryClient, useQuery } from '@tanstack/react-query'
import type { ProcedureInput, ProcedureName, ProcedureOutput } from '#shared/contract/index.ts'
import { AppError } from '#shared/errors.ts'
import type { RepositoryName } from '#shared/model/backup.ts'
import { call } from './bridge.ts'
import { useUi } from './stores/ui.ts'

/** Lists stay until the engine says that they changed; nothing is polled. */
export const queryClient = new QueryClient({
  defaultOptions: {
    queries: { staleTime: Number.POSITIVE_INFINITY, retry: false, refetchOnWindowFocus: false, networkMode: 'always' },
  },
})

export const useSites = () =>
  useQuery<ProcedureOutput<'sites.list'>, AppError>({ queryKey: ['sites'], queryFn: () => call('sites.list', {}) })

export const useSite = (site: string) =>
  useQuery<ProcedureOutput<'sites.show'>, AppError>({ queryKey: ['sites', site], queryFn: () => call('sites.show', { site }) })

export const useOverview = () =>
  useQuery<ProcedureOutput<'backups.overview'>, AppError>({ queryKey: ['overview'], queryFn: () => call('backups.overview', {}) })

export const useBackups = (site: string) =>
  useQuery<ProcedureOutput<'backups.list'>, AppError>({
    queryKey: ['backups', site],
    queryFn: () => call('backups.list', { site, in: 'all' }),
  })

export const useKept = (site: string) =>
  useQuery<ProcedureOutput<'restore.kept'>, AppError>({
    queryKey: ['kept', site],
    queryFn: () => call('restore.kept', { site }),
  })

export const useNights = () =>
  useQuery<ProcedureOutput<'schedule.list'>, AppError>({ queryKey: ['schedule'], queryFn: () => call('schedule.list', {}) })

export const useComingNights = (site: string, to?: RepositoryName) =>
  useQuery<ProcedureOutput<'schedule.preview'>, AppError>({
    queryKey: ['coming-nights', site, to],
    queryFn: () => call('schedule.preview', { site, ...(to === undefined ? {} : { to }) }),
  })

export const useSettings = () =>
  useQuery<ProcedureOutput<'settings.get'>, AppError>({ queryKey: ['settings'], queryFn: () => call('settings.get', {}) })

export const useDemoState = () =>
  useQuery<ProcedureOutput<'demo.state'>, AppError>({ queryKey: ['demo'], queryFn: () => call('demo.state', {}) })

export const useSecretState = () =>
  useQuery<ProcedureOutput<'secrets.state'>, AppError>({ queryKey: ['secrets'], queryFn: () => call('secrets.state', {}) })

/** Asks the engine again for everything that pages show. */
export async function checkNow(): Promise<void> {
  await queryClient.invalidateQueries()
}

/**
 * A call that the operator asked for: when the password store is locked it asks for the passphrase first
 * and then tries once more.
 */
export async function callUnlocking<N extends ProcedureName>(name: N, input: ProcedureInput<N>): Promise<ProcedureOutput<N>> {
  try {
    return await call(name, input)
  } catch (error) {
    if (!(error instanceof AppError) || error.code !== 'secrets-locked') throw error
    const unlocked = await useUi.getState().askUnlock(error.message)
    if (!unlocked) throw error
    return await call(name, input)
  }
}

/** The hosts of `~/.ssh/config`, to choose from. */
export const useHostAliases = () =>
  useQuery<ProcedureOutput<'hosts.aliases'>, AppError>({ queryKey: ['host-aliases'], queryFn: () => call('hosts.aliases', {}) })

export const useModBackup = (site: string) =>
  useQuery<ProcedureOutput<'servers.backupSettings'>, AppError>({
    queryKey: ['mod-backup', site],
    queryFn: () => callUnlocking('servers.backupSettings', { site }),
  })
