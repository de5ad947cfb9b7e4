import type { ProcedureOutput } from '#shared/contract/index.ts'
import type { Site } from '#shared/model/site.ts'
import { backUp, backUpOnServer } from './lib/back-up.ts'
import { chooseAndDecrypt } from './lib/decrypt-start.ts'
import { runOnServer } from './lib/server-commands.ts'
import { isTyping } from './lib/typing.ts'
import { runMissed } from './lib/use-nights.ts'
import { checkNow, queryClient } from './queries.ts'
import { usePageCommands } from './stores/page-commands.ts'
import { navigate, type Route, type SitePage, siteOf, useUi } from './stores/ui.ts'

/** Something that the palette lists and a key may run. */
export interface Command {
  id: string
  title: string
  /** As shown: `Mod+K`. */
  keys?: string
  group: 'Go to' | 'Sites' | 'Actions'
  run(): void
}

const SITE_PAGES: { tab: SitePage; label: string; key: string }[] = [
  { tab: 'overview', label: 'Overview', key: 'O' },
  { tab: 'backups', label: 'Backups', key: 'B' },
  { tab: 'jobs', label: 'Jobs', key: 'J' },
  { tab: 'settings', label: 'Settings', key: 'T' },
]

function go(id: string, title: string, to: Route, keys?: string): Command {
  return { id, title, group: 'Go to', run: () => navigate(to), ...(keys === undefined ? {} : { keys }) }
}

/** Every command that works on what is shown now. */
export function commandsFor(route: Route, sites: readonly Site[]): Command[] {
  const chosen = siteOf(route)
  const list: Command[] = [...usePageCommands.getState().commands]
  if (chosen !== null) {
    list.push({
      id: 'backup',
      title: `Back up ${chosen} now`,
      keys: 'Mod+B',
      group: 'Actions',
      run: () => backUp(chosen, 'vault'),
    })
    if (isMissed(chosen))
      list.push({
        id: 'run-missed',
        title: `Run the missed backup of ${chosen} now`,
        group: 'Actions',
        run: () => void runMissed(chosen),
      })
    if (sites.find(({ name }) => name === chosen)?.server?.kind === 'ssh') list.push(...serverCommands(chosen))
    for (const { tab, label, key } of SITE_PAGES)
      list.push(go(`page-${tab}`, `${chosen} · ${label}`, { page: 'site', site: chosen, tab }, `G ${key}`))
  }
  list.push(
    { id: 'decrypt-choose', title: 'Choose files to decrypt…', group: 'Actions', run: () => void chooseAndDecrypt() },
    { id: 'check-now', title: 'Check now', keys: 'F5', group: 'Actions', run: () => void checkNow() },
    go('sites', 'All sites', { page: 'sites' }, 'Mod+0'),
    go('decrypt', 'Decrypt files', { page: 'decrypt' }, 'Mod+D'),
    go('jobs', 'All jobs', { page: 'jobs' }, 'Mod+J'),
    go('add-site', 'Add a site…', { page: 'add-site' }),
    go('preferences', 'Preferences', { page: 'preferences' }, 'Mod+,'),
  )
  sites.forEach((site, index) => {
    const command: Command = {
      id: `site-${site.name}`,
      title: site.name,
      group: 'Sites',
      run: () => navigate({ page: 'site', site: site.name, tab: 'overview' }),
    }
    list.push(index < 9 ? { ...command, keys: `Mod+${index + 1}` } : command)
  })
  return list
}

function serverCommands(site: string): Command[] {
  const command = (id: string, title: string, run: () => void): Command => ({ id, title, group: 'Actions', run })
  return [
    command('server-backup', `Back up ${site} on the server…`, () => void backUpOnServer(site)),
    command('server-status', `Status of ${site} on the server`, () => void runOnServer(site, 'status')),
    command('server-flush', `Flush ${site} on the server`, () => void runOnServer(site, 'flush')),
    command('server-restart', `Restart ${site} on the server…`, () => void runOnServer(site, 'restart')),
  ]
}

function isMissed(site: string): boolean {
  const { sites = [] } = queryClient.getQueryData<ProcedureOutput<'schedule.list'>>(['schedule']) ?? {}
  return sites.some((state) => state.site === site && state.missed !== null && state.runningJob === null)
}

const BY_KEY: Record<string, string> = { '0': 'sites', b: 'backup', d: 'decrypt', j: 'jobs', ',': 'preferences' }

/** When G was pressed: the next letter names a page. */
let pendingG = 0

/** Runs the command of a key press, if there is one. */
export function handleKey(event: KeyboardEvent, sites: readonly Site[]): void {
  const { route, setPalette, paletteOpen, unlock, leaving } = useUi.getState()
  if (unlock !== null || leaving !== null || event.defaultPrevented) return
  const action = isModified(event) ? modifiedAction(event, sites) : plainAction(event)
  if (action === null || (paletteOpen && action !== 'palette')) return
  event.preventDefault()
  if (action === 'palette') setPalette(!paletteOpen)
  else if (action === 'filter') document.querySelector<HTMLInputElement>('input[data-filter-field]')?.focus()
  else
    commandsFor(route, sites)
      .find((command) => command.id === action)
      ?.run()
}

function isModified(event: KeyboardEvent): boolean {
  return (event.ctrlKey || event.metaKey) && !event.altKey && !event.shiftKey
}

function modifiedAction(event: KeyboardEvent, sites: readonly Site[]): string | null {
  const key = event.key.toLowerCase()
  if (key === 'k') return 'palette'
  const site = /^[1-9]$/.test(key) ? sites[Number(key) - 1] : undefined
  return site ? `site-${site.name}` : (BY_KEY[key] ?? null)
}

function plainAction(event: KeyboardEvent): string | null {
  if (event.ctrlKey || event.metaKey || event.altKey) return null
  if (event.key === 'F5') return 'check-now'
  if (isTyping(event.target)) return null
  if (event.key === '/') return 'filter'
  const key = event.key.toUpperCase()
  const page = Date.now() - pendingG < 1500 ? SITE_PAGES.find((candidate) => candidate.key === key) : undefined
  pendingG = key === 'G' ? Date.now() : 0
  return page ? `page-${page.tab}` : null
}
