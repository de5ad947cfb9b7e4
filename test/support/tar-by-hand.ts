/** An entry of an archive by hand, so that it can hold what no tar program would write. */
export interface HandEntry {
  name: string | Buffer
  content?: string | Buffer
  type?: string
  /** In the header; default: that of the content. A buffer is the field itself. */
  size?: number | Buffer
  link?: string
  mode?: number
  /** Unix seconds. */
  modified?: number
  /** ustar's first half of a long name. */
  prefix?: string
  magic?: string
  /** False: the header's sum is wrong. */
  sum?: boolean
  /** Anything else of the header, at its place. */
  raw?: [at: number, bytes: Buffer][]
}

export const HAND_TIME = 1_700_000_000

export function tarByHand(entries: readonly HandEntry[], options: { end?: boolean; after?: Buffer } = {}): Buffer {
  const blocks = entries.flatMap((entry) => {
    const content = Buffer.from(entry.content ?? '')
    return [headerByHand(entry, content.length), content, Buffer.alloc((512 - (content.length % 512)) % 512)]
  })
  return Buffer.concat([...blocks, Buffer.alloc(options.end === false ? 0 : 1024), options.after ?? Buffer.alloc(0)])
}

export function headerByHand(entry: HandEntry, bytes = 0): Buffer {
  const { name, type = '0', size = bytes, link = '', mode = 0o644, modified = HAND_TIME, magic = 'ustar  \0' } = entry
  const header = Buffer.alloc(512)
  Buffer.from(name).copy(header, 0, 0, 100)
  header.write(octal(mode, 8), 100)
  header.write(octal(0, 8), 108)
  header.write(octal(0, 8), 116)
  if (Buffer.isBuffer(size)) size.copy(header, 124)
  else header.write(octal(size, 12), 124)
  header.write(octal(modified, 12), 136)
  header.write(type, 156)
  header.write(link, 157, 100)
  header.write(magic, 257, 'latin1')
  header.write(entry.prefix ?? '', 345, 155)
  for (const [at, raw] of entry.raw ?? []) raw.copy(header, at)
  header.fill(' ', 148, 156)
  const sum = header.reduce((total, byte) => total + byte, 0) + (entry.sum === false ? 1 : 0)
  header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148)
  return header
}

/** An extended header of pax for the entry after it. */
export function paxByHand(records: Record<string, string>, type = 'x'): HandEntry {
  return { name: './PaxHeaders/x', type, content: Object.entries(records).map(paxRecord).join('') }
}

function paxRecord([key, value]: [string, string]): string {
  const rest = ` ${key}=${value}\n`
  let length = Buffer.byteLength(rest)
  while (`${length}`.length + Buffer.byteLength(rest) !== length) length = `${length}`.length + Buffer.byteLength(rest)
  return `${length}${rest}`
}

function octal(value: number, field: number): string {
  return `${value.toString(8).padStart(field - 1, '0')}\0`
}
