import { createHash } from 'node:crypto'
import { isCancelled } from '#shared/errors.ts'
import { hashCommand, hashIn } from '../connections/ssh/server-hash.ts'
import type { SshConnection } from '../connections/ssh/types.ts'
import { INDEX_FILE, SERVER_INDEX_TEMPORARY } from './names.ts'
import { hasCode, type TextFile } from './repository-files.ts'

/** What a server can do with its files by itself. Not every log-in may run commands: then nothing is known. */
export interface ServerCommands {
  /** Lower-case hex; null: it could not be told this way. */
  sha256(path: string, signal?: AbortSignal): Promise<string | null>
  /** See RepositoryFiles.replaceIndex; looking and renaming are not a way over the network apart. */
  replaceIndex(folder: string, part: string, expected: TextFile | null): Promise<'replaced' | 'changed' | 'unknown'>
  /** Writes out what the server keeps in memory of these files and folders, where it can. */
  sync(paths: readonly string[]): Promise<void>
}

/** Arguments: our file, SHA-256 of the index as we know it (empty: there was none). Looks and renames within microseconds. */
const REPLACE_AT_ONCE = `my ($part, $known) = @ARGV; my $index = "${INDEX_FILE}"; my @held;
sub say_it { print "$_[0]\\n"; exit 0 }
if ($known ne "") {
  open(my $file, "<", $index) or say_it("changed"); @held = stat($file);
  my $hash = qx(sha256sum < $index); $hash =~ s/\\s.*//s; say_it("changed") if $hash ne $known;
}
say_it("changed") if -e "${SERVER_INDEX_TEMPORARY}";
my @now = lstat($index);
say_it("changed") unless $known eq "" ? !@now : (@now && $now[0] == $held[0] && $now[1] == $held[1]);
say_it("replaced") if rename($part, $index); exit 9;`

/** $1 folder, $2 and $3 as above, $4 the script above; without perl by commands, some milliseconds apart. */
const REPLACE_INDEX = `cd -- "$1" && command -v sha256sum >/dev/null || exit 9
if command -v perl >/dev/null; then exec perl -e "$4" -- "$2" "$3"; fi
if [ -n "$3" ]; then now=$(sha256sum < ${INDEX_FILE}) || now=
[ "\${now%% *}" = "$3" ] || { echo changed; exit 0; }
elif [ -e ${INDEX_FILE} ] || [ -L ${INDEX_FILE} ]; then echo changed; exit 0; fi
if [ -e ${SERVER_INDEX_TEMPORARY} ]; then echo changed; exit 0; fi
mv -f -- "$2" ${INDEX_FILE} && echo replaced`

export function serverCommands(connection: SshConnection): ServerCommands {
  /** A log-in for SFTP alone answers with something else, each time. */
  let isRefused = false

  async function outputOf(
    command: readonly string[],
    options: { signal?: AbortSignal; timeoutMs?: number | null },
  ): Promise<string | null> {
    if (isRefused) return null
    try {
      const { code, stdout } = await connection.run(command, options)
      return code === 0 ? stdout : null
    } catch (error) {
      if (isCancelled(error) || hasCode(error, 'connection-lost')) throw error
      // one that took long was run all the same
      isRefused = !hasCode(error, 'command-timeout')
      return null
    }
  }

  return {
    async sha256(path, signal) {
      const output = await outputOf(hashCommand(path), { timeoutMs: null, ...(signal ? { signal } : {}) })
      return output === null ? null : hashIn(output)
    },

    async replaceIndex(folder, part, expected) {
      const known = expected === null ? '' : createHash('sha256').update(expected.text).digest('hex')
      const output = await outputOf(['sh', '-c', REPLACE_INDEX, 'sh', folder, part, known, REPLACE_AT_ONCE], {})
      const answer = output?.trim()
      return answer === 'replaced' || answer === 'changed' ? answer : 'unknown'
    },

    async sync(paths) {
      await outputOf(['sync', ...paths], { timeoutMs: 20_000 })
    },
  }
}
