import type { DeskBridge } from '#shared/contract/bridge.ts'

declare global {
  interface Window {
    /** Put there by the preload, before any script of the page runs. */
    readonly desk: DeskBridge
  }
}
