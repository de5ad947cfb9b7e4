/**
 * Cuts bytes into records that end with one byte and hold it nowhere else.
 * @param options.end that byte: 0, or 10 for a line feed
 * @param options.most bytes of a record; what is longer is thrown as `tooLong` says, so that it does not fill the memory
 * @returns what is left behind the last end
 */
export async function* cutRecords(
  chunks: AsyncIterable<Buffer>,
  { end, most, tooLong }: { end: number; most: number; tooLong: () => Error },
): AsyncGenerator<string, string> {
  let rest = Buffer.alloc(0)
  for await (const chunk of chunks) {
    const bytes = rest.length > 0 ? Buffer.concat([rest, chunk]) : chunk
    let from = 0
    for (let at = bytes.indexOf(end, from); at >= 0; at = bytes.indexOf(end, from)) {
      yield bytes.toString('utf8', from, at)
      from = at + 1
    }
    rest = Buffer.from(bytes.subarray(from))
    if (rest.length > most) throw tooLong()
  }
  return rest.toString('utf8')
}
