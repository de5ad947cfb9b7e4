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
  let rest = Buffer.alloc(0)
  for await (const chunk of chunks) {
    const bytes = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk
    let from = 0
    for (let end = bytes.indexOf(NEWLINE, from); end >= 0; end = bytes.indexOf(NEWLINE, from)) {
      yield bytes.toString('utf8', from, end)
      from = end + 1
    }
    rest = Buffer.from(bytes.subarray(from))
    if (rest.length > LINE_BYTES) {
      throw new AppError('undo-unreadable', `${path} is no journal of a restore: it has a line that is too long.`, {
        hint: 'Look at it there. Nothing was changed by reading it.',
        details: { path },
      })
    }
  }
  if (rest.length > 0) yield rest.toString('utf8')
}
