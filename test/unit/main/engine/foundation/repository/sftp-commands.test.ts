import { expect, it } from 'vitest'
import type { SshConnection } from '#engine/foundation/connections/ssh/types.ts'
import { serverCommands } from '#engine/foundation/repository/sftp-commands.ts'
import { AppError } from '#shared/errors.ts'

/** A server that takes too long for one command, or lets nobody run any. */
function serverOf(code: string) {
  const asked: string[] = []
  const run = async ([program = '']: readonly string[]) => {
    asked.push(program)
    if (program === 'sync') throw new AppError(code, 'No.')
    return { code: 0, stdout: `${'0'.repeat(64)} file\n`, stderr: '' }
  }
  return { asked, commands: serverCommands({ run } as unknown as SshConnection) }
}

it('goes on to use commands after one that took too long, but not where none may be run', async () => {
  const slow = serverOf('command-timeout')
  await slow.commands.sync(['/folder'])
  expect(await slow.commands.sha256('/folder/file')).toBe('0'.repeat(64))
  const closed = serverOf('command-refused')
  await closed.commands.sync(['/folder'])
  expect(await closed.commands.sha256('/folder/file')).toBeNull()
  expect([slow.asked, closed.asked]).toEqual([['sync', 'sh'], ['sync']])
})
