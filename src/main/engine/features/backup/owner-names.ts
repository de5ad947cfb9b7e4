import { readFile } from 'node:fs/promises'

/** Names of users and groups by number; '' when not known. */
export interface OwnerNames {
  user(uid: number): string
  group(gid: number): string
}

export const NO_OWNER_NAMES: OwnerNames = { user: () => '', group: () => '' }

/** The names this computer knows, from /etc/passwd and /etc/group; none where there are no such files. */
export async function readOwnerNames(): Promise<OwnerNames> {
  const [users, groups] = await Promise.all([readNumberedNames('/etc/passwd'), readNumberedNames('/etc/group')])
  return { user: (uid) => users.get(uid) ?? '', group: (gid) => groups.get(gid) ?? '' }
}

async function readNumberedNames(file: string): Promise<Map<number, string>> {
  const names = new Map<number, string>()
  // a system without the file has no names to give; the archive then has the numbers alone, which is valid
  const text = await readFile(file, 'utf8').catch(() => '')
  for (const line of text.split('\n')) {
    const [name, , number] = line.split(':')
    const id = Number(number)
    if (name && number && Number.isInteger(id) && !names.has(id)) names.set(id, name)
  }
  return names
}
