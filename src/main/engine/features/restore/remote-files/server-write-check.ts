import { posix } from 'node:path'
import type { SshConnection } from '#engine/foundation/connections/ssh/types.ts'
import { check, some } from '#engine/foundation/plans/check.ts'
import type { PlanCheck, RestorePart } from '#shared/model/plan.ts'
import type { SiteFolders } from '../files/undo-journal.ts'

/** Prints those of the folders that may not be written, the programs that are missing, and that it came to its end. */
const CAN_WRITE = `
for f; do [ -d "$f" ] && [ -w "$f" ] && [ -x "$f" ] || printf '%s\\n' "$f"; done
for p in find tar xargs sha256sum; do command -v "$p" >/dev/null || printf '%s\\n' "$p"; done
echo end`

/** Whether who logs in to the server may write what a restore writes there. */
export async function serverWriteCheck(
  server: SshConnection,
  { filesDir, siteDir, securityDir }: SiteFolders,
  parts: readonly RestorePart[],
  signal: AbortSignal,
): Promise<PlanCheck> {
  const folders = [
    filesDir,
    ...(parts.includes('files') ? [posix.join(filesDir, 'archive')] : []),
    ...(parts.includes('config') ? [posix.join(siteDir, 'priv')] : []),
    ...(parts.includes('security') ? [securityDir] : []),
  ]
  const { stdout } = await server.run(['sh', '-c', CAN_WRITE, 'sh', ...folders], { signal })
  const lacking = stdout.split('\n').filter((line) => line !== '')
  if (lacking.pop() !== 'end') return check('Server', 'failed', `${server.place} runs no commands for who logs in`)
  const unwritable = lacking.filter((line) => line.startsWith('/'))
  const missing = lacking.filter((line) => !line.startsWith('/'))
  if (unwritable.length > 0) {
    return check(
      'Server',
      'failed',
      `${server.place} may not write in ${some(unwritable)}: log in as the user that the site runs as`,
    )
  }
  if (missing.length > 0) return check('Server', 'failed', `${server.place} has no ${some(missing)}`)
  return check('Server', 'passed', `${server.place} may write the site’s files`)
}
