import { create } from 'zustand'
import type { RepositoryName } from '#shared/model/backup.ts'
import type { ChosenBackup } from '../lib/transfer-choice.ts'

export type SitePage = 'overview' | 'backups' | 'jobs' | 'settings'

/** A tab of a site's settings. */
export type SettingsSection = 'connections' | 'server' | 'encryption' | 'nights' | 'dump' | 'rotation'

export type Route =
  | { page: 'sites' }
  | { page: 'add-site' }
  | { page: 'decrypt' }
  | { page: 'jobs'; job?: string }
  | { page: 'preferences' }
  | { page: 'site'; site: string; tab: SitePage; job?: string; section?: SettingsSection }
  | { page: 'restore'; site: string; name: string; timestamp: string; from?: RepositoryName }
  /** Without a backup all are brought in step. */
  | { page: 'transfer'; site: string; from: RepositoryName; to: RepositoryName; backup?: ChosenBackup }
  | { page: 'way-back'; site: string; kind: 'undo' | 'drop'; kept: string }

export interface Toast {
  id: number
  tone: 'ok' | 'bad'
  text: string
  show?: Route
}

interface UiState {
  route: Route
  /** Goes to a page; asks first when the one in sight has changes that are not saved. */
  navigate(route: Route): void
  /** What would be lost by leaving the page in sight: "2 changes of testsite: port, schedule". */
  unsaved: string | null
  setUnsaved(unsaved: string | null): void
  /** Where the operator wants to go while changes are not saved. */
  leaving: Route | null
  leave(): void
  stay(): void
  paletteOpen: boolean
  setPalette(open: boolean): void
  /** Site whose row is open in the sidebar even when another page is shown. */
  toasts: readonly Toast[]
  toast(toast: Omit<Toast, 'id'>): void
  dismissToast(id: number): void
  /** Set while the store of passwords must be opened before something goes on. */
  unlock: { reason: string; done(unlocked: boolean): void } | null
  askUnlock(reason: string): Promise<boolean>
  closeUnlock(unlocked: boolean): void
  /** True while a plan waits for the operator in the shell's own window. */
  awaitingConfirmation: string | null
  setAwaitingConfirmation(text: string | null): void
}

let nextToast = 1

/** What the window shows. Kept in memory only. */
export const useUi = create<UiState>()((set, get) => ({
  route: { page: 'sites' },
  navigate: (route) =>
    set((state) =>
      state.unsaved === null || isSamePage(state.route, route)
        ? { route, paletteOpen: false }
        : { leaving: route, paletteOpen: false },
    ),
  unsaved: null,
  setUnsaved: (unsaved) => set({ unsaved }),
  leaving: null,
  leave: () => set(({ leaving, route }) => ({ route: leaving ?? route, leaving: null, unsaved: null })),
  stay: () => set({ leaving: null }),
  paletteOpen: false,
  setPalette: (paletteOpen) => set({ paletteOpen }),
  toasts: [],
  toast: (toast) => {
    const id = nextToast++
    set((state) => ({ toasts: [...state.toasts.slice(-2), { ...toast, id }] }))
    setTimeout(() => get().dismissToast(id), 8000)
  },
  dismissToast: (id) => set((state) => ({ toasts: state.toasts.filter((toast) => toast.id !== id) })),
  unlock: null,
  askUnlock: (reason) =>
    new Promise<boolean>((resolve) => {
      // A second asker waits for the same dialog.
      const earlier = get().unlock
      set({
        unlock: {
          reason: earlier?.reason ?? reason,
          done: (unlocked) => {
            earlier?.done(unlocked)
            resolve(unlocked)
          },
        },
      })
    }),
  closeUnlock: (unlocked) => {
    const { unlock } = get()
    set({ unlock: null })
    unlock?.done(unlocked)
  },
  awaitingConfirmation: null,
  setAwaitingConfirmation: (awaitingConfirmation) => set({ awaitingConfirmation }),
}))

export const navigate = (route: Route) => useUi.getState().navigate(route)

/** The tabs of one page of settings keep what was typed. */
function isSamePage(from: Route, to: Route): boolean {
  if (from.page === 'site' && to.page === 'site') return from.site === to.site && from.tab === to.tab
  return from.page === to.page && from.page === 'add-site'
}

/** The site that the sidebar opens. */
export function siteOf(route: Route): string | null {
  return 'site' in route ? route.site : null
}
