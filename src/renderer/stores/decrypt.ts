import { create } from 'zustand'

interface DecryptState {
  /** Decrypt jobs that this window started or that were running when it opened. */
  jobIds: readonly string[]
  /** Where outputs go; null: beside each file. */
  out: string | null
  addJob(id: string): void
  setOut(out: string | null): void
  clear(keep: readonly string[]): void
}

/** What the Decrypt page lists; kept while the window lives. */
export const useDecrypt = create<DecryptState>()((set) => ({
  jobIds: [],
  out: null,
  addJob: (id) => set((state) => ({ jobIds: state.jobIds.includes(id) ? state.jobIds : [...state.jobIds, id] })),
  setOut: (out) => set({ out }),
  clear: (keep) => set({ jobIds: keep }),
}))
