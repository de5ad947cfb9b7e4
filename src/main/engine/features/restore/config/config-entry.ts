import { AppError } from '#shared/errors.ts'
import { SITE_NAME } from '#shared/model/site.ts'
import { archiveError } from '../files/archive-error.ts'
import type { ArchiveLimits } from '../files/checked-entries.ts'

/** Parts of a restore that one archive holds. */
export type ConfigPart = 'config' | 'security'

/** A site's configuration is a handful of small files. */
export const CONFIG_LIMITS: ArchiveLimits = { entries: 10_000, fileBytes: 16 * 1024 * 1024, bytes: 64 * 1024 * 1024 }

const SITE_CONFIG = /^zotonic_site\.(config|yaml|yml|json)$/

/** Where an entry of a configuration archive belongs. */
export interface ConfigPlace {
  part: ConfigPart
  /** Below `SITE_DIR/priv`, or below the security folder. */
  parts: string[]
}

/**
 * @param parts of an entry's name, checked
 * @returns null: it is nothing that is restored, as `zotonic_site.config.in`
 */
export function configPlace([, top, below, ...rest]: readonly string[], isFile: boolean): ConfigPlace | null {
  if (top === 'security') {
    if (below === undefined) return null
    return { part: 'security', parts: [below, ...rest] }
  }
  if (top !== 'config') return null
  const [name] = rest
  if (below === 'priv') {
    const isOne = isFile && rest.length === 1 && name !== undefined && SITE_CONFIG.test(name)
    return isOne ? { part: 'config', parts: [name] } : null
  }
  return below === 'config.d' && (rest.length > 0 || !isFile) ? { part: 'config', parts: ['config.d', ...rest] } : null
}

/** Whether a file in a site's `priv` folder is its main configuration. */
export function isSiteConfig(name: string): boolean {
  return SITE_CONFIG.test(name)
}

/** Finds out whose configuration an archive holds: its one top folder is `config-SITE`. */
export class ArchiveSite {
  #site: string | null = null

  /** @throws AppError `config-name` */
  add(parts: readonly string[]): void {
    const [top] = parts
    if (top === undefined) return
    const site = top.startsWith('config-') ? top.slice('config-'.length) : ''
    if (!SITE_NAME.test(site) || (this.#site !== null && this.#site !== site)) {
      throw archiveError(
        'config',
        'name',
        `has ${JSON.stringify(top.slice(0, 200))} at its top, where the folder of one site belongs.`,
      )
    }
    this.#site = site
  }

  /** @throws AppError `config-empty` */
  get site(): string {
    if (this.#site !== null) return this.#site
    throw new AppError('config-empty', 'The configuration archive is empty. Nothing was changed.', {
      hint: 'Choose another backup.',
    })
  }
}
