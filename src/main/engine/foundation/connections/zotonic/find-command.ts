import type { SshConnection } from '../ssh/types.ts'

/**
 * Prints each place where the command is. `$1` is the user that it shall run as, perhaps empty. A login shell, since Zotonic is often
 * found by what a profile adds to PATH; what else a profile prints has no mark.
 */
const LOOK = `
home=""
if [ -n "$1" ]; then home=$(getent passwd "$1" 2>/dev/null | cut -d: -f6); fi
for place in "$(command -v zotonic 2>/dev/null)" "$home/zotonic/bin/zotonic" "$HOME/zotonic/bin/zotonic" \\
  /opt/zotonic/bin/zotonic /home/zotonic/zotonic/bin/zotonic /srv/zotonic/bin/zotonic /usr/local/bin/zotonic; do
  if [ -f "$place" ] && [ -x "$place" ]; then echo "zotonic-is-at:$place"; fi
done
exit 0
`

/** Where it is looked for, for people. */
export const LOOKED_IN = 'PATH, /opt/zotonic/bin, ~/zotonic/bin, /home/zotonic/zotonic/bin, /srv/zotonic/bin and /usr/local/bin'

/** The path of Zotonic's command on the server; null: in none of the usual places, as far as this user can see. */
export async function findZotonic(
  ssh: Pick<SshConnection, 'run'>,
  runAs: string | null,
  prefix: readonly string[],
  signal?: AbortSignal,
): Promise<string | null> {
  const look = ['sh', '-lc', LOOK, 'sh', runAs ?? '']
  // rules of sudo may allow the command and no shell; then the place has to be set
  for (const command of prefix.length > 0 ? [look, [...prefix, ...look]] : [look]) {
    const { stdout } = await ssh.run(command, { timeoutMs: 20_000, ...(signal ? { signal } : {}) })
    const found = /^zotonic-is-at:(\/.*)$/m.exec(stdout)?.[1]
    if (found !== undefined) return found
  }
  return null
}
