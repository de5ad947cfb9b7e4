import { createHash } from 'node:crypto'
import { decryptStream, storedPasswords } from '#engine/features/encryption/index.ts'
import { contentProblem, readToEnd } from '#engine/foundation/content/read-to-end.ts'
import type { EngineContext } from '#engine/foundation/context.ts'
import type { PartExaminer } from '#engine/foundation/repository/transfer.ts'
import { AppError, isCancelled, toAppError } from '#shared/errors.ts'

const NO_PASSWORD = ['no-password', 'wrong-password']

/** Looks into parts with the passwords that the site has stored; without them encrypted ones stay closed. */
export async function openExaminer(context: EngineContext, site: string, onNote: (text: string) => void): Promise<PartExaminer> {
  const { workers } = context
  const passwords = await storedPasswords(context, site).catch((error: Error) => {
    onNote(`Encrypted parts may not be checked: ${error.message}`)
    return []
  })
  return {
    async contentHash(stored, signal) {
      try {
        const { plain } = await decryptStream(stored, passwords, { workers, signal })
        const hash = createHash('sha256')
        for await (const chunk of plain as AsyncIterable<Buffer>) hash.update(chunk)
        return hash.digest('hex')
      } catch (error) {
        stored.destroy()
        return asUnknown(error, signal)
      }
    },

    async readToEnd({ kind, facts: { name } }, stored, signal) {
      try {
        const plain = name.endsWith('.enc') ? (await decryptStream(stored, passwords, { workers, signal })).plain : stored
        await readToEnd(plain as AsyncIterable<Buffer>, kind, signal)
        return null
      } catch (error) {
        stored.destroy()
        const problem = contentProblem(error)
        if (problem === null && asUnknown(error, signal) === null) return `No password for ${name} is known`
        throw new AppError('part-differs', `${name} is damaged: ${problem}. Nothing was put in place.`, {
          hint: 'Verify the backup where it is; copy it from another place if one has it.',
          details: { file: name },
        })
      }
    },
  }
}

/** null: no password opens it. @throws what else went wrong */
function asUnknown(error: unknown, signal: AbortSignal): null {
  if (signal.aborted || isCancelled(error)) throw toAppError(signal.reason ?? error)
  if (NO_PASSWORD.includes(toAppError(error).code)) return null
  throw error
}
