import type { PartKind } from '#shared/model/backup.ts'
import { type ContentCheck, ContentProblem } from './content-problem.ts'
import { DumpCheck } from './dump-check.ts'
import { GzipProblem, gunzip } from './gunzip.ts'
import { TarWalk } from './tar-walk.ts'

/**
 * Unpacks a part's content to its end and checks what is in it; returns what was found, for people.
 * @throws ContentProblem, GzipProblem, and what the source throws
 */
export async function readToEnd(packed: AsyncIterable<Buffer>, part: PartKind, signal?: AbortSignal): Promise<string> {
  const check = checkFor(part)
  for await (const content of gunzip(packed, signal)) check.write(content)
  return check.end()
}

/** What {@link readToEnd} found wrong with the content, in one clause; null: it failed for another reason. */
export function contentProblem(error: unknown): string | null {
  if (error instanceof GzipProblem) return error.clause
  return error instanceof ContentProblem ? error.message : null
}

function checkFor(part: PartKind): ContentCheck {
  return part === 'database' ? new DumpCheck() : new TarWalk()
}
