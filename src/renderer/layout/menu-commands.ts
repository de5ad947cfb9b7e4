import { useEffect } from 'react'
import type { ProcedureOutput } from '#shared/contract/index.ts'
import { desk } from '../bridge.ts'
import { commandsFor } from '../commands.ts'
import { queryClient } from '../queries.ts'
import { navigate, useUi } from '../stores/ui.ts'

/** Runs what the operator chose in the native menu: a command of the palette by its id, `palette`, or a site by name. */
export function useMenuCommands(): void {
  useEffect(
    () =>
      desk.onCommand(({ command, site }) => {
        if (command === 'palette') useUi.getState().setPalette(true)
        else if (command === 'site' && site !== undefined) navigate({ page: 'site', site, tab: 'overview' })
        else run(command)
      }),
    [],
  )
}

/** The menu does not know what is chosen in the page: it says so where a command has nothing to work on. */
function run(id: string): void {
  const { route, toast } = useUi.getState()
  const sites = queryClient.getQueryData<ProcedureOutput<'sites.list'>>(['sites'])?.sites ?? []
  const command = commandsFor(
    route,
    sites.map((view) => view.site),
  ).find((candidate) => candidate.id === id)
  if (command) command.run()
  else toast({ tone: 'bad', text: whyNot(id) })
}

function whyNot(id: string): string {
  if (id === 'run-missed') return 'No night of the chosen site is missed.'
  if (id === 'backup-pin' || id === 'backup-delete')
    return 'This is not for the chosen backup: one of the rotation is pinned, a pinned or safety backup is deleted.'
  if (id === 'backup-fetch' || id === 'backup-copy')
    return 'This is not for the chosen backup: it is there already, or no other place has it whole.'
  if (id === 'backup-mend') return 'No copy of the chosen backup is known to be damaged, or none elsewhere is known to be good.'
  if (id === 'sync') return 'Choose a site with a server or a filestore, and its Backups page, first.'
  return /^(?:backup-|coming-nights)/.test(id) ? 'Choose a backup on a site’s Backups page first.' : 'Choose a site first.'
}
