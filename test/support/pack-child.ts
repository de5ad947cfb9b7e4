import { createMediaArchive } from '#engine/features/backup/media-archive.ts'
import type { ArchiveProblem } from '#engine/features/backup/tree.ts'

/** Archives a folder as whoever runs it: `pack-child.ts FOLDER`. Prints the problems, or the error's code. */
const problems: ArchiveProblem[] = []
try {
  const archive = createMediaArchive(process.argv[2] ?? '', { onProblem: (problem) => problems.push(problem) })
  let bytes = 0
  for await (const piece of archive) bytes += piece.length
  console.log(JSON.stringify({ bytes, problems }))
} catch (error) {
  console.log(JSON.stringify({ code: (error as { code?: string }).code, problems }))
}
