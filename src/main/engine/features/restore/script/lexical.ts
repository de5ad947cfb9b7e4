/** The bytes that matter to SQL's lexical rules. All of them are ASCII, so UTF-8 text can be looked at byte by byte. */
export const BYTE = {
  tab: 9,
  newline: 10,
  return: 13,
  quote: 0x27,
  doubleQuote: 0x22,
  dollar: 0x24,
  open: 0x28,
  close: 0x29,
  star: 0x2a,
  dash: 0x2d,
  dot: 0x2e,
  slash: 0x2f,
  semicolon: 0x3b,
  backslash: 0x5c,
} as const

/** What a byte can be part of. */
export const CLASS = { other: 0, space: 1, letter: 2, digit: 3, plain: 4 } as const

const MEANINGFUL: ReadonlySet<number> = new Set(Object.values(BYTE))

/** Class of every byte: plain ones open and close nothing; letters include `_` and everything above ASCII, as in PostgreSQL's scanner. */
export const BYTE_CLASS: Uint8Array = Uint8Array.from({ length: 256 }, (_, byte) => {
  if ((byte >= 9 && byte <= 13) || byte === 32) return CLASS.space
  if (byte >= 0x30 && byte <= 0x39) return CLASS.digit
  const letter = byte | 0x20
  if ((letter >= 0x61 && letter <= 0x7a) || byte === 0x5f || byte >= 0x80) return CLASS.letter
  return MEANINGFUL.has(byte) && byte !== BYTE.dot ? CLASS.other : CLASS.plain
})

/** Counts line ends in a range of bytes. A plain loop: lines are short, and a call for each costs more. */
export function countLines(bytes: Uint8Array, from: number, to: number): number {
  let count = 0
  // 10: a constant that needs no look-up, in the one loop that sees every byte of a dump
  for (let at = from; at < to; at += 1) if (bytes[at] === 10) count += 1
  return count
}
