import { readFile, stat } from 'node:fs/promises'
import { wrongUse } from './exit.ts'
import type { Terminal } from './terminal.ts'

const MAX_BYTES = 64 * 1024

/** Reads passwords and the passphrase from where the command line says; never from an argument. */
export interface PasswordSources {
  /** For `.enc` files, in the order given. */
  passwords(): Promise<string[]>
  /** For the store of passwords: file, environment, or asked for. */
  passphrase(purpose: 'unlock' | 'create'): Promise<string | null>
}

export function passwordSources(
  terminal: Terminal,
  options: { passwordFile?: string[]; passphraseFile?: string },
): PasswordSources {
  const files = options.passwordFile ?? []
  if ([...files, options.passphraseFile].filter((file) => file === '-').length > 1) {
    throw wrongUse('Standard input can be read once only: give one of the password files a name.')
  }
  const read = async (file: string): Promise<string> => {
    if (file === '-') return decode(await terminal.readStdin(), 'standard input')
    const facts = await stat(file)
    if (!facts.isFile() && facts.size > 0) throw wrongUse(`"${file}" is no file.`)
    if (facts.size > MAX_BYTES) throw wrongUse(`"${file}" is too large for a password file.`)
    return decode(await readFile(file), file)
  }
  let known: Promise<string[]> | null = null
  return {
    passwords() {
      known ??= Promise.all(files.map(read))
      return known
    },
    async passphrase(purpose) {
      if (options.passphraseFile !== undefined) return read(options.passphraseFile)
      if (terminal.env.BACKUP_DESK_PASSPHRASE) return terminal.env.BACKUP_DESK_PASSPHRASE
      if (!terminal.canAsk) return null
      if (purpose === 'unlock') return terminal.ask('Passphrase of the store of passwords: ', true)
      const first = await terminal.ask('New passphrase for the store of passwords: ', true)
      const again = await terminal.ask('The same again: ', true)
      if (first !== again) throw wrongUse('The two are not the same. Nothing was stored.')
      return first
    },
  }
}

/** UTF-8; one final line end is not part of the password. */
function decode(bytes: Buffer, place: string): string {
  if (bytes.length > MAX_BYTES) throw wrongUse(`There is too much in ${place} for a password.`)
  let text: string
  try {
    text = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes)
  } catch {
    throw wrongUse(`The password in ${place} is not UTF-8.`)
  }
  const password = text.replace(/\r?\n$/, '')
  if (password === '') throw wrongUse(`There is no password in ${place}.`)
  return password
}
