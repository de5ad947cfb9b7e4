/** Columns padded to their widest cell; the last one is left ragged. `>` before a head aligns right. */
export function formatTable(heads: string[], rows: string[][]): string {
  const right = heads.map((head) => head.startsWith('>'))
  const lines = [heads.map((head) => head.replace(/^>/, '')), ...rows]
  const widths = heads.map((_, column) => Math.max(...lines.map((line) => (line[column] ?? '').length)))
  return lines
    .map((line) =>
      line
        .map((cell, column) => {
          if (right[column]) return cell.padStart(widths[column] ?? 0)
          return column === line.length - 1 ? cell : cell.padEnd(widths[column] ?? 0)
        })
        .join('  ')
        .trimEnd(),
    )
    .map((line) => `${line}\n`)
    .join('')
}
