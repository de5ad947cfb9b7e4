import type { SshConnection } from './types.ts'

const KIB = 1024

/** Bytes that are free on the disk of a folder of a server, for who logs in; null: it does not tell. */
export async function serverFreeBytes(connection: SshConnection, folder: string, signal?: AbortSignal): Promise<number | null> {
  const { code, stdout } = await connection.run(['df', '-Pk', folder], signal ? { signal } : {})
  if (code !== 0) return null
  // Filesystem 1024-blocks Used Available Capacity Mounted on
  const available = /^.+?\s+\d+\s+\d+\s+(\d+)\s+\d+%\s/m.exec(stdout.split('\n').slice(1).join('\n'))?.[1]
  return available === undefined ? null : Number(available) * KIB
}
