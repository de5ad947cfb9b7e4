import { basename, dirname } from 'node:path'
import { type Preferences as PreferenceValues, preferencesSchema } from '#shared/contract/settings.ts'
import type { SettingsProblem } from '#shared/contract/sites.ts'
import { writeFileAtomic } from '../files/atomic.ts'
import type { Locks } from '../locks.ts'
import { keptAsideProblems, problemError, readJsonFile } from './json-file.ts'

const VERSION = 1

/** `settings.json`: what the operator prefers, shared by window and terminal. */
export interface Preferences {
  get(): Promise<PreferenceValues>
  /** @throws AppError `settings-newer`: a newer program's file is not overwritten */
  update(change: Partial<PreferenceValues>): Promise<PreferenceValues>
  problems(): Promise<SettingsProblem[]>
}

export function openPreferences(file: string, locks: Locks): Preferences {
  const read = () => readJsonFile(file, preferencesSchema, VERSION)
  const defaults = () => preferencesSchema.parse({})
  return {
    async get() {
      const found = await read()
      return found.state === 'ok' ? found.value : defaults()
    },
    async update(change) {
      const lock = await locks.acquire('settings')
      try {
        const found = await read()
        if (found.state === 'problem' && found.problem.code === 'settings-newer') throw problemError(found.problem)
        const value = preferencesSchema.parse({ ...(found.state === 'ok' ? found.value : defaults()), ...change })
        await writeFileAtomic(file, `${JSON.stringify(value, null, 2)}\n`)
        return value
      } finally {
        await lock.release()
      }
    },
    async problems() {
      const found = await read()
      const kept = await keptAsideProblems(dirname(file), (name) => name === basename(file) || name === 'secrets.json')
      const newer = found.state === 'problem' && found.problem.keptAs === null ? [found.problem] : []
      return [...newer, ...kept]
    },
  }
}
