import type { TarEntry } from '#engine/foundation/content/read-tar.ts'
import { formatPlural } from '#shared/format.ts'
import { type Finding, failed, passed, some, warning } from './check.ts'
import { ConfigProblem } from './config-problem.ts'
import { readSettings } from './config-syntax.ts'

/** Far above any settings file. */
const MAX_BYTES = 4 * 1024 * 1024
const SETTINGS = /^\.?\/?config-[^/]+\/config\/(priv\/zotonic_site\.\w+|config\.d\/(?:[^/]+\/)*[^/]+)$/

/**
 * Whether the configuration archive holds the site's settings, and they can be read. Their values stay in here.
 * @param schema that the dump makes; null: not known
 */
export async function checkConfig(archive: AsyncIterable<TarEntry>, schema: string | null): Promise<Finding> {
  const broken: string[] = []
  let files = 0
  let main: { file: string; settings: Map<string, string> } | null = null
  for await (const { kind, name, size, content } of archive) {
    const file = SETTINGS.exec(name)?.[1]
    const chunks: Buffer[] = []
    for await (const chunk of content) if (file !== undefined && size <= MAX_BYTES) chunks.push(chunk)
    if (kind === 'file') files += 1
    if (kind !== 'file' || file === undefined) continue
    try {
      if (size > MAX_BYTES) throw new ConfigProblem('it is too large for settings')
      const settings = readSettings(file, Buffer.concat(chunks))
      if (file.startsWith('priv/')) main = { file, settings }
    } catch (error) {
      if (!(error instanceof ConfigProblem)) throw error
      broken.push(`${file}: ${error.message}`)
    }
  }
  if (broken.length > 0) return failed(some(broken))
  if (main === null) return failed(`There is no priv/zotonic_site file in it (${formatPlural(files, 'file')})`)
  const found = main.settings.get('dbschema')
  if (schema !== null && found !== undefined && found !== schema) {
    return warning(`${main.file} is well, but names the schema “${found.slice(0, 63)}”, where the dump makes “${schema}”`)
  }
  const named = found === undefined ? '' : ` and names the schema “${found.slice(0, 63)}”`
  return passed(`${main.file} can be read${named}; ${formatPlural(files, 'file')} in all`)
}
