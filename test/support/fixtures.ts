import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'

/** Files made by a real Zotonic server; they live beside the project, not in it. */
export const fixturesRoot: string = resolve(import.meta.dirname, '../../../shared/fixtures/zotonic')

export const hasFixtures: boolean = existsSync(join(fixturesRoot, 'MANIFEST.md'))

export function fixture(...parts: string[]): string {
  return join(fixturesRoot, ...parts)
}
