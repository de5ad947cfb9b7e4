import type { SshConnection } from './types.ts'

/** Seconds since 1970 by the server's clock, which tells whole ones; null: it does not tell. */
export async function serverSeconds(connection: Pick<SshConnection, 'run'>, signal?: AbortSignal): Promise<number | null> {
  const { stdout } = await connection.run(['date', '+%s'], { timeoutMs: 20_000, ...(signal ? { signal } : {}) })
  const told = Number(stdout.trim())
  return Number.isSafeInteger(told) && told > 0 ? told : null
}
