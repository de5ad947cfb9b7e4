import { createHash } from 'node:crypto'
import { readFileSync } from 'node:fs'
import type { Readable } from 'node:stream'
import { fixture } from './fixtures.ts'

/** An encrypted file that a real server made, its password, and the hash of what is inside. */
export interface EncFixture {
  name: string
  path: string
  password: string
  plainSize: number
  plainSha256: string
}

function readTable(path: string): Record<string, string>[] {
  const [head, ...lines] = readFileSync(path, 'utf8').trim().split('\n')
  const columns = head?.split('\t') ?? []
  return lines.map((line) => Object.fromEntries(line.split('\t').map((cell, at) => [columns[at] ?? '', cell])))
}

/** Every file of crypto.tsv and every encrypted one of backups/FILES.tsv. */
export function encFixtures(): EncFixture[] {
  const crypto = readTable(fixture('crypto', 'crypto.tsv')).map((row) => ({
    name: row.file ?? '',
    path: fixture('crypto', row.file ?? ''),
    password: row.password ?? '',
    plainSize: Number(row.plain_size),
    plainSha256: row.plain_sha256 ?? '',
  }))
  const backups = readTable(fixture('backups', 'FILES.tsv'))
    .filter((row) => row.file?.endsWith('.enc') && row.password !== '-')
    .map((row) => ({
      name: `${row.dir}/${row.file}`,
      path: fixture('backups', row.dir ?? '', row.file ?? ''),
      password: row.password ?? '',
      plainSize: Number(row.plain_size),
      plainSha256: row.plain_sha256 ?? '',
    }))
  return [...crypto, ...backups]
}

export const ASCII_PASSWORD = 'correct horse battery 42!'
export const UTF8_PASSWORD = 'zażółć-gęślą-jaźń-🔐'

export function cryptoFixture(name: string): string {
  return fixture('crypto', name)
}

/** Size and SHA-256 of a stream. */
export async function digest(stream: Readable): Promise<{ size: number; sha256: string }> {
  const hash = createHash('sha256')
  let size = 0
  for await (const chunk of stream as AsyncIterable<Buffer>) {
    hash.update(chunk)
    size += chunk.length
  }
  return { size, sha256: hash.digest('hex') }
}

export function sha256(bytes: Uint8Array): string {
  return createHash('sha256').update(bytes).digest('hex')
}
