import type { ArchiveProblem } from '../tree.ts'

/** What tar said on its standard error. */
export interface TarMessages {
  problems: ArchiveProblem[]
  /** Lines that are about no single file: why it failed as a whole. */
  others: string[]
}

const ABOUT_FILE =
  /^(.+): (file changed as we read it|File removed before we read it|File shrank by \d+ bytes.*|socket ignored|door ignored|Unknown file type; file ignored|Cannot (?:open|stat|savedir|readlink|close|fstat): .+|Read error at byte .+|Directory is new|.*: (?:Permission denied|No such file or directory))$/

/** Reads what GNU tar, or another one, says of files that it could not take as they were. In English: `LC_ALL=C`. */
export function readTarMessages(text: string): TarMessages {
  const found: TarMessages = { problems: [], others: [] }
  for (const line of text.split('\n')) {
    const said = line.replace(/^\S*tar: /, '').trim()
    if (said === '' || /^(Exiting with failure status|Removing leading|error exit delayed)/.test(said)) continue
    const [, path, what] = ABOUT_FILE.exec(said) ?? []
    if (path === undefined || what === undefined) found.others.push(said)
    else if (what !== 'Directory is new') found.problems.push(problemOf(path.replace(/^\.\//, ''), what))
  }
  return found
}

function problemOf(path: string, what: string): ArchiveProblem {
  if (/ignored$/.test(what)) {
    return { path, code: 'special-file', text: 'It is neither a file nor a folder and is not in the backup.' }
  }
  if (/^File removed|No such file/.test(what)) {
    return { path, code: 'vanished', text: 'It was removed while the backup ran and is not in it.' }
  }
  if (/^file changed|^File shrank/.test(what)) {
    return { path, code: 'changed', text: `It changed while it was read; its copy in the backup may be torn (tar: ${what}).` }
  }
  if (/^Read error/.test(what)) {
    return { path, code: 'unreadable', text: `Reading failed (tar: ${what}); the rest of it is zeros in the backup.` }
  }
  return { path, code: 'unreadable', text: `It could not be read (tar: ${what}) and is not in the backup.` }
}
