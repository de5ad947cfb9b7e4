import { readFile } from 'node:fs/promises'
import type { ArchiveProblem } from './tree.ts'

/** Names of users and groups by number; '' when not known. */
export interface OwnerNames {
  user(uid: number): string
  group(gid: number): string
}

export const NO_OWNER_NAMES: OwnerNames = { user: () => '', group: () => '' }

/**
 * The names this computer knows, from /etc/passwd and /etc/group; none where there are no such files. A file that is there and
 * can't be read is told: the archive then has the numbers alone, which restores as well.
 */
export async function readOwnerNames(onProblem: (problem: ArchiveProblem) => void, folder = '/etc'): Promise<OwnerNames> {
  const [users, groups] = await Promise.all([
    readNumberedNames(`${folder}/passwd`, onProblem),
    readNumberedNames(`${folder}/group`, onProblem),
  ])
  return { user: (uid) => users.get(uid) ?? '', group: (gid) => groups.get(gid) ?? '' }
}

async function readNumberedNames(file: string, onProblem: (problem: ArchiveProblem) => void): Promise<Map<number, string>> {
  const names = new Map<number, string>()
  const text = await readFile(file, 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') {
      const text = `It could not be read (${error.code ?? error}), so the files in the backup have the numbers of their owners alone.`
      onProblem({ path: file, code: 'unreadable', text })
    }
    return ''
  })
  for (const line of text.split('\n')) {
    const [name, , number] = line.split(':')
    const id = Number(number)
    if (name && number && Number.isInteger(id) && !names.has(id)) names.set(id, name)
  }
  return names
}
