import { readFile, stat } from 'node:fs/promises'
import type { ConnectionOptions } from 'node:tls'
import { AppError } from '#shared/errors.ts'
import type { PostgresConnection } from './postgres.ts'

const MAX_FILE = 1024 * 1024

/** What a connection's PEM files hold. */
export interface TlsFiles {
  /** The authorities to trust, instead of those that Node knows. */
  authorities?: string
  certificate?: string
  key?: string
}

/** @throws AppError `tls-file`: one that can't be read or is no PEM file, or a certificate without its key */
export async function readTlsFiles(connection: PostgresConnection): Promise<TlsFiles> {
  const { caFile, certificateFile, keyFile } = connection
  if ((certificateFile === undefined) !== (keyFile === undefined)) {
    throw new AppError('tls-file', 'A client certificate needs its key, and a key its certificate. Nothing was connected.', {
      hint: 'Give both files in the site’s settings, or none.',
    })
  }
  return {
    ...(caFile ? { authorities: await readPem(caFile, 'CERTIFICATE') } : {}),
    ...(certificateFile ? { certificate: await readPem(certificateFile, 'CERTIFICATE') } : {}),
    ...(keyFile ? { key: await readPem(keyFile, 'PRIVATE KEY') } : {}),
  }
}

/** As libpq does it: with authorities named, `require` checks who signed the server's certificate too, but not its name. */
export function tlsOptions(mode: 'require' | 'verify-full', files: TlsFiles): ConnectionOptions {
  return {
    rejectUnauthorized: mode === 'verify-full' || files.authorities !== undefined,
    ...(mode === 'require' ? { checkServerIdentity: () => undefined } : {}),
    ...(files.authorities ? { ca: files.authorities } : {}),
    ...(files.certificate ? { cert: files.certificate } : {}),
    ...(files.key ? { key: files.key } : {}),
  }
}

async function readPem(file: string, kind: string): Promise<string> {
  const refuse = (why: string) =>
    new AppError('tls-file', `The file ${file} could not be used for TLS: ${why}. Nothing was connected.`, {
      hint: 'Give a PEM file that the user who runs this can read.',
      details: { file },
    })
  const facts = await stat(file).catch((error: NodeJS.ErrnoException) => error)
  if (facts instanceof Error) throw refuse(facts.code === 'ENOENT' ? 'there is no such file' : facts.message)
  if (!facts.isFile() || facts.size > MAX_FILE) throw refuse('it is no PEM file')
  const text = await readFile(file, 'utf8').catch(() => {
    throw refuse('it may not be read')
  })
  if (!text.includes(`${kind}-----`)) throw refuse(`it holds no ${kind.toLowerCase()} in PEM form`)
  if (kind === 'PRIVATE KEY' && /ENCRYPTED/.test(text)) throw refuse('the key is protected by a passphrase')
  return text
}
