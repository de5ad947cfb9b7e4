/** Letters and digits that are not taken for one another when read aloud or copied by hand (no 0 O 1 l I). */
const ALPHABET = 'abcdefghijkmnopqrstuvwxyzABCDEFGHJKLMNPQRSTUVWXYZ23456789'
const GROUPS = 5
const GROUP_LENGTH = 5

/**
 * A password of 25 characters in groups of five, over 140 bits: `k9Qmt-4vHxe-ruNop-7Wdxa-Pz3Kb`.
 * @param fill source of random bytes; the browser's own by default
 */
export function generatePassword(
  fill: (bytes: Uint8Array<ArrayBuffer>) => Uint8Array = (bytes) => crypto.getRandomValues(bytes),
): string {
  const limit = 256 - (256 % ALPHABET.length)
  let characters = ''
  while (characters.length < GROUPS * GROUP_LENGTH) {
    for (const byte of fill(new Uint8Array(64))) {
      // Bytes above the last whole multiple are thrown away: each character is equally likely.
      if (byte < limit && characters.length < GROUPS * GROUP_LENGTH) characters += ALPHABET.charAt(byte % ALPHABET.length)
    }
  }
  return (characters.match(/.{5}/g) ?? []).join('-')
}
