import { posix } from 'node:path'
import type { SiteServer } from '#engine/foundation/connections/ssh/site-server.ts'
import type { Site } from '#shared/model/site.ts'

/** What comes before a command that reads a site's files: nothing, or the change to the user that they belong to. */
export type CommandPrefix = readonly string[]

/**
 * As whom files of a site are read: as who logs in when that user can, else as the user that Zotonic runs as, when the settings
 * name one and `sudo -n` allows it.
 */
export async function readingPrefix(
  { connection, settings }: SiteServer,
  { zotonic }: Pick<Site, 'zotonic'>,
  signal: AbortSignal,
): Promise<CommandPrefix> {
  const runAs = zotonic?.runAs
  if (runAs === undefined) return []
  const asRunner = ['sudo', '-n', '-u', runAs]
  const folders = [posix.join(settings.filesDir, 'archive'), posix.join(settings.siteDir, 'priv'), settings.securityDir]
  const canRead = async (prefix: CommandPrefix) => {
    const { code } = await connection.run([...prefix, 'sh', '-c', CAN_READ, 'sh', ...folders], { signal })
    return code === 0
  }
  return !(await canRead([])) && (await canRead(asRunner)) ? asRunner : []
}

/** Folders that are not there need no reading; whether they are, only who may look above them can tell. */
const CAN_READ = 'for f; do [ -r "$f" ] && [ -x "$f" ] || { [ -x "$(dirname "$f")" ] && [ ! -e "$f" ]; } || exit 1; done'
