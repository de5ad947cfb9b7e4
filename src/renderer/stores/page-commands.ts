import { useEffect } from 'react'
import { create } from 'zustand'
import type { Command } from '../commands.ts'

/** What the page in sight adds to the palette and to the menu: actions on what is chosen there. */
export const usePageCommands = create<{ commands: readonly Command[] }>()(() => ({ commands: [] }))

/** Offers commands while the calling page is shown. */
export function useOfferCommands(commands: readonly Command[]): void {
  useEffect(() => {
    usePageCommands.setState({ commands })
    return () => usePageCommands.setState({ commands: [] })
  }, [commands])
}
