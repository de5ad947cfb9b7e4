import { execFile } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { connect, type Socket } from 'node:net'
import { join } from 'node:path'
import { createServer } from 'node:tls'
import { promisify } from 'node:util'

const run = promisify(execFile)

/** A way to a server that speaks TLS in front of it, with a certificate of an authority of its own. */
export interface TlsProxy {
  port: number
  /** The authority's certificate. */
  caFile: string
  /** That of another authority, which has nothing to do with it. */
  otherCaFile: string
  close(): Promise<void>
}

/** @param folder for keys and certificates @param name what the certificate is for */
export async function startTlsProxy(port: number, { folder, name }: { folder: string; name: string }): Promise<TlsProxy> {
  const openssl = (...args: string[]) => run('openssl', args, { cwd: folder })
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  const authority = (file: string) =>
    openssl('req', '-x509', ...newKey, '-days', '2', '-subj', `/CN=Test ${file}`, '-keyout', `${file}.key`, '-out', `${file}.pem`)
  await authority('ca')
  await authority('other')
  const subject = ['-subj', `/CN=${name}`, '-addext', `subjectAltName=DNS:${name}`]
  await openssl('req', ...newKey, ...subject, '-keyout', 'server.key', '-out', 'server.csr')
  const by = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-copy_extensions', 'copy']
  await openssl('x509', '-req', '-in', 'server.csr', ...by, '-out', 'server.crt')

  const sockets = new Set<Socket>()
  const [key, cert] = await Promise.all(['server.key', 'server.crt'].map((file) => readFile(join(folder, file))))
  const server = createServer({ key, cert }, (client) => {
    const onward = connect(port, '127.0.0.1')
    for (const [one, other] of [
      [client, onward],
      [onward, client],
    ] as const) {
      sockets.add(one)
      one.pipe(other)
      one.on('error', () => other.destroy()).on('close', () => sockets.delete(one))
    }
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    port: address.port,
    caFile: join(folder, 'ca.pem'),
    otherCaFile: join(folder, 'other.pem'),
    async close() {
      for (const socket of sockets) socket.destroy()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}
