import type { SshConnection } from './types.ts'

const LIST_MS = 30_000

/** Debian's wrapper asks which cluster is meant; the programs behind it are found by themselves. */
const LIST = `
for f in "$(command -v "$1")" /usr/lib/postgresql/*/bin/"$1" /usr/pgsql-*/bin/"$1" /usr/local/pgsql/bin/"$1" /usr/local/bin/"$1"; do
  [ -x "$f" ] || continue
  case $(readlink -f "$f") in */pg_wrapper) continue ;; esac
  printf '%s\\t%s\\n' "$f" "$("$f" --version 2>/dev/null)"
done`

/** A program of PostgreSQL on a server, and what it says of its version. */
export interface ServerProgram {
  path: string
  /** "psql (PostgreSQL) 15.14 (Debian 15.14-0+deb12u1)". */
  text: string
}

/** Every program of that name of a server: on PATH, and where the usual packages put it. */
export async function listServerPrograms(
  server: SshConnection,
  program: 'pg_dump' | 'psql',
  signal: AbortSignal,
): Promise<ServerProgram[]> {
  const { stdout } = await server.run(['sh', '-c', LIST, 'sh', program], { signal, timeoutMs: LIST_MS })
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const [path = '', text = ''] = line.split('\t')
      return { path, text }
    })
}

/**
 * The beginning of a shell script that starts a program of PostgreSQL: nothing of the server's own settings for such programs takes part;
 * the password, which nobody else may see, is the first line of its standard input. Its arguments: the name that the program gives
 * itself, and the TLS mode; both are shifted away.
 */
export const PASSWORD_AND_NAME = `
for v in $(env | sed -n 's/^\\(PG[A-Z]*\\)=.*/\\1/p'); do unset "$v"; done
IFS= read -r PGPASSWORD
export PGPASSWORD PGAPPNAME="$1" PGSSLMODE="$2" PGCONNECT_TIMEOUT=10 PGCLIENTENCODING=UTF8 LC_ALL=C
shift
shift`

/** Names a database to a program of PostgreSQL, which would read a name such as `host=… x` as the way to another server. */
export function databaseArgument(name: string): string {
  return `--dbname=dbname='${name.replace(/[\\']/g, '\\$&')}'`
}
