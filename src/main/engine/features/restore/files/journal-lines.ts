import { cutRecords } from '#engine/foundation/content/cut-records.ts'
import { AppError } from '#shared/errors.ts'

/** The file may be anything: no line of ours is longer than this. */
const LINE_BYTES = 256 * 1024
const NEWLINE = 10

/**
 * The lines of a journal. They end with a line feed and nothing else: Node's own reader of lines ends them at U+2028 too, which
 * names of files may have.
 * @throws AppError `undo-unreadable`
 */
export async function* journalLines(chunks: AsyncIterable<Buffer>, path: string): AsyncGenerator<string> {
  const tooLong = () =>
    new AppError('undo-unreadable', `${path} is no journal of a restore: it has a line that is too long.`, {
      hint: 'Look at it there. Nothing was changed by reading it.',
      details: { path },
    })
  const rest = yield* cutRecords(chunks, { end: NEWLINE, most: LINE_BYTES, tooLong })
  if (rest !== '') yield rest
}
