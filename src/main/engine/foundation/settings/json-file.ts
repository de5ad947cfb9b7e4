import { readdir, readFile, rename, stat } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { z } from 'zod'
import type { SettingsProblem } from '#shared/contract/sites.ts'
import { AppError } from '#shared/errors.ts'

const MAX_BYTES = 4 * 1024 * 1024
const KEPT_ASIDE = /\.corrupt-\d{17}$/

/** What reading a settings file gave: its value, nothing there, or a problem to be shown. */
export type JsonFileResult<T> = { state: 'ok'; value: T } | { state: 'absent' } | { state: 'problem'; problem: SettingsProblem }

/**
 * Reads a settings file with a `version`. A corrupt one is renamed aside (`FILE.corrupt-TIME`), never
 * overwritten; one of a newer version stays where it is, for the newer program that wrote it.
 */
export async function readJsonFile<S extends z.ZodType>(
  path: string,
  schema: S,
  version: number,
): Promise<JsonFileResult<z.output<S>>> {
  const facts = await stat(path).catch(() => null)
  if (!facts) return { state: 'absent' }
  let value: unknown
  try {
    if (facts.size > MAX_BYTES) throw new Error(`it has ${facts.size} bytes`)
    value = JSON.parse(await readFile(path, 'utf8'))
  } catch (error) {
    return setAside(path, error instanceof SyntaxError ? 'it is not JSON' : String((error as Error).message))
  }
  const found = (value as { version?: unknown } | null)?.version
  if (typeof found === 'number' && found > version) return { state: 'problem', problem: newerProblem(path, found) }
  const parsed = schema.safeParse(value)
  if (parsed.success) return { state: 'ok', value: parsed.data }
  const issue = parsed.error.issues[0]
  return setAside(path, `${issue?.path.join('.') || 'it'}: ${issue?.message ?? 'does not fit'}`)
}

function newerProblem(path: string, version: number): SettingsProblem {
  return {
    file: path,
    keptAs: null,
    code: 'settings-newer',
    message: `${basename(path)} was written by a newer version of Backup Desk (format ${version}). It was left as it is and not used.`,
    hint: 'Update this program, then start it again.',
  }
}

async function setAside(path: string, reason: string): Promise<{ state: 'problem'; problem: SettingsProblem }> {
  const keptAs = `${path}.corrupt-${new Date().toISOString().replace(/\D/g, '')}`
  // another program may have set it aside a moment ago; then its copy is the one that is reported
  await rename(path, keptAs).catch((error: NodeJS.ErrnoException) => {
    if (error.code !== 'ENOENT') throw error
  })
  return { state: 'problem', problem: corruptProblem(path, keptAs, reason) }
}

function corruptProblem(path: string, keptAs: string, reason?: string): SettingsProblem {
  return {
    file: path,
    keptAs,
    code: 'settings-corrupt',
    message: `${basename(path)} could not be read${reason ? `: ${reason}` : ''}. It was kept as ${basename(keptAs)} and is not used.`,
    hint: 'Correct the kept file and give it back its name, or set it up anew and delete the kept file.',
  }
}

/** The problems of files that were set aside earlier and are still there. */
export async function keptAsideProblems(folder: string, isOurs: (file: string) => boolean): Promise<SettingsProblem[]> {
  const names = await readdir(folder).catch(() => [])
  return names
    .filter((name) => KEPT_ASIDE.test(name) && isOurs(name.replace(KEPT_ASIDE, '')))
    .sort()
    .map((name) => corruptProblem(join(folder, name.replace(KEPT_ASIDE, '')), join(folder, name)))
}

/** The error of an action that needs a file which could not be read. */
export function problemError(problem: SettingsProblem): AppError {
  return new AppError(problem.code, problem.message, {
    hint: problem.hint,
    details: { file: basename(problem.file), folder: dirname(problem.file), keptAs: problem.keptAs },
  })
}
