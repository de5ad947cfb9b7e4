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
        const { route, setPalette } = useUi.getState()
        if (command === 'palette') setPalette(true)
        else if (command === 'site' && site !== undefined) navigate({ page: 'site', site, tab: 'overview' })
        else {
          const sites = queryClient.getQueryData<ProcedureOutput<'sites.list'>>(['sites'])?.sites ?? []
          commandsFor(
            route,
            sites.map((view) => view.site),
          )
            .find(({ id }) => id === command)
            ?.run()
        }
      }),
    [],
  )
}
