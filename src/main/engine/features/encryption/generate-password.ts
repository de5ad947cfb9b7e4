import { randomBytes } from 'node:crypto'

/** Letters and digits that cannot be mistaken for each other: no i, l, o, u. 32 of them, so 5 bits each. */
const LETTERS = '0123456789abcdefghjkmnpqrstvwxyz'
const GROUPS = 7
const GROUP_LENGTH = 4

/** A new password of 140 random bits that can be read out and typed: `k7fd-02xq-…`, seven groups of four. */
export function generatePassword(): string {
  const letters = [...randomBytes(GROUPS * GROUP_LENGTH)].map((byte) => LETTERS[byte % LETTERS.length]).join('')
  return (letters.match(new RegExp(`.{${GROUP_LENGTH}}`, 'g')) ?? []).join('-')
}
