import { BYTE, BYTE_CLASS, CLASS } from './lexical.ts'

/** Where the scanner stands inside the SQL. Numbers, since it is asked for every byte. */
export const IN = {
  normal: 0,
  word: 1,
  number: 2,
  string: 3,
  stringQuote: 4,
  escape: 5,
  escapeBackslash: 6,
  escapeQuote: 7,
  name: 8,
  nameQuote: 9,
  dash: 10,
  slash: 11,
  lineComment: 12,
  block: 13,
  blockStar: 14,
  blockSlash: 15,
  dollarTag: 16,
  body: 17,
  bodyDollar: 18,
  meta: 19,
} as const

export type State = (typeof IN)[keyof typeof IN]

/** What the scanner stopped at. `at`: the position after it. */
export type ScanStop =
  | { kind: 'end-of-chunk' }
  | { kind: 'statement'; at: number }
  | { kind: 'comment'; at: number; text: string }
  | { kind: 'meta'; at: number; text: string }

/** Whether a byte can stand inside of a word. */
export function isWordByte(byte: number): boolean {
  const kind = BYTE_CLASS[byte]
  return kind === CLASS.letter || kind === CLASS.digit || byte === BYTE.dollar
}

/** What a quote right after a word opens; `normal`: nothing that dumps have. */
export function stateOfString(word: string): State {
  if (word === 'e' || word === 'E') return IN.escape
  return /^[bxn]$/i.test(word) ? IN.string : IN.normal
}
