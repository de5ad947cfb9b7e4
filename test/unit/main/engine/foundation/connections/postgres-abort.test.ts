import { writeFile } from 'node:fs/promises'
import { createServer, type Socket } from 'node:net'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { connectPostgres } from '#engine/foundation/connections/postgres.ts'
import { temporaryFolder } from '#test/support/home.ts'

it('does not connect when it was given up while the files of TLS were read', async () => {
  const sockets = new Set<Socket>()
  const silent = createServer((socket) => void sockets.add(socket.on('error', () => {})))
  await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve))
  const { port } = silent.address() as { port: number }
  const caFile = join(await temporaryFolder(), 'ca.pem')
  await writeFile(caFile, '-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n')
  const controller = new AbortController()
  const to = { host: '127.0.0.1', port, database: 'd', user: 'u', tls: 'require', caFile } as const
  const connecting = connectPostgres(to, controller.signal)
  controller.abort()
  await expect(connecting).rejects.toMatchObject({ name: 'AbortError' })
  expect(sockets.size).toBe(0)
  for (const socket of sockets) socket.destroy()
  await new Promise((resolve) => silent.close(resolve))
})
