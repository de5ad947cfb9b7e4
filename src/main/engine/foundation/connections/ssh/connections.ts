import { AppError } from '#shared/errors.ts'
import type { SshConnections } from './types.ts'

/** Opens the connections of an engine; nothing is connected before it is used. */
export function openSshConnections(_options: { knownHostsFile: string }): SshConnections {
  const notYet = async (): Promise<never> => {
    throw new AppError('being-built', 'Not there yet.', {})
  }
  return {
    connect: notYet,
    hostKeys: { list: async () => [], accept: notYet, forget: notYet },
    aliases: async () => [],
    close: async () => {},
  }
}
