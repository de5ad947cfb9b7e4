import { createHash } from 'node:crypto'
import { posix } from 'node:path'
import { Readable, Transform } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { createGzip } from 'node:zlib'
import { quoteIdentifier } from '#engine/foundation/connections/postgres.ts'
import { hashIn, hashOnServer, PRINT_HASH } from '#engine/foundation/connections/ssh/server-hash.ts'
import type { SshConnection } from '#engine/foundation/connections/ssh/types.ts'
import { outdated } from '#engine/foundation/plans/plan-shelf.ts'
import { AppError } from '#shared/errors.ts'
import { DumpGate, type DumpTarget } from '../allow-list/dump-gate.ts'
import { serverToolFailed } from '../remote-files/server-tool.ts'
import { scriptError } from '../script/errors.ts'
import { readScript } from '../script/script-reader.ts'

const CHUNK_BYTES = 256 * 1024
/** The line is mostly slower than this: see the bench of parts. */
const LEVEL = 6

/** Makes the folder that nobody else may look into. A dump in it is what it was when its hash was taken. */
const MAKE_FOLDER = 'umask 077 && mkdir -p -- "$1"'
/** Only what is read of the copy counts: the file itself may be exchanged at any time. */
const COPY = `umask 077 && cp -- "$1" "$2" && set -- "$2" && ${PRINT_HASH}`

/** A gzip file on the server, in a folder of its own that only who logs in can read. */
export interface DumpOnServer {
  path: string
  bytes: number
}

/**
 * Copies a dump that lies on the server into a folder where nobody can exchange it any more.
 * @param wanted SHA-256 of the file that the plan read
 * @throws AppError `plan-outdated` when it is another one, `server-tool-failed`
 */
export async function copyDump(
  server: SshConnection,
  folder: string,
  file: { path: string; bytes: number; wanted: string },
  signal: AbortSignal,
): Promise<DumpOnServer> {
  const path = await placeIn(server, folder, signal)
  const result = await server.run(['sh', '-c', COPY, 'sh', file.path, path], { signal, timeoutMs: null })
  if (result.code !== 0) throw serverToolFailed('cp', result)
  if (hashIn(result.stdout) !== file.wanted) throw outdated(`the file ${file.path} on the server has changed`)
  return { path, bytes: file.bytes }
}

/**
 * Sends a dump to the server, compressed: what the allow-list lets through, as the loader of this computer would run it. Its hash is made
 * there again.
 * @param script plain SQL; its end means that everything before it ended well
 * @throws AppError those of `readScript` and `DumpGate`, `no-schema`, `sent-damaged`, `disk-full`, those of SSH
 */
export async function sendDump(
  server: SshConnection,
  folder: string,
  script: AsyncIterable<Buffer>,
  target: DumpTarget,
  signal: AbortSignal,
): Promise<DumpOnServer> {
  const path = await placeIn(server, folder, signal)
  const hash = createHash('sha256')
  const hashing = new Transform({
    highWaterMark: CHUNK_BYTES,
    transform(chunk: Buffer, _encoding, done) {
      hash.update(chunk)
      done(null, chunk)
    },
  })
  const packing = pipeline(
    Readable.from(allowedScript(script, target, signal), { objectMode: false, highWaterMark: CHUNK_BYTES }),
    createGzip({ level: LEVEL, chunkSize: CHUNK_BYTES }),
    hashing,
  )
  const writing = server.files.write(path, hashing, { exclusive: true, mode: 0o600, signal })
  const [packed, written] = await Promise.allSettled([packing, writing])
  // whichever fails ends the other, which then knows no reason
  if (packed.status === 'rejected' && packed.reason.code !== 'ERR_STREAM_PREMATURE_CLOSE') throw packed.reason
  if (written.status === 'rejected') throw written.reason
  const bytes = written.value
  if ((await hashOnServer(server, path, signal)) === hash.digest('hex')) return { path, bytes }
  throw new AppError('sent-damaged', `The dump is not the same on ${server.place} as it was sent.`, {
    hint: 'Look at the server’s disk, or load the database from this computer instead.',
    details: { place: server.place },
  })
}

async function placeIn(server: SshConnection, folder: string, signal: AbortSignal): Promise<string> {
  const result = await server.run(['sh', '-c', MAKE_FOLDER, 'sh', folder], { signal })
  if (result.code !== 0) throw serverToolFailed('mkdir', result)
  return posix.join(folder, 'dump.sql.gz')
}

/** The statements and rows of a dump that may be run, as a script again. */
async function* allowedScript(script: AsyncIterable<Buffer>, target: DumpTarget, signal: AbortSignal): AsyncGenerator<Buffer> {
  const gate = new DumpGate(target)
  for await (const item of readScript(script)) {
    signal.throwIfAborted()
    const allowed = await gate.pass(item)
    if (!allowed) continue
    const { text, facts } = allowed
    if (item.kind === 'statement') {
      if (facts.action === 'copy') throw scriptError('statement-refused', 'COPY without rows', item)
      // its last line may be a comment
      yield Buffer.from(`${text}\n;\n`)
      continue
    }
    const columns = facts.columns ? ` (${facts.columns.map(quoteIdentifier).join(', ')})` : ''
    // put together anew: nothing but a table and its columns can be in it
    yield Buffer.from(`COPY ${quoteIdentifier(target.schema)}.${quoteIdentifier(facts.table ?? '')}${columns} FROM stdin;\n`)
    yield* item.rows
    yield Buffer.from('\\.\n')
  }
  if (!gate.madeSchema)
    throw new AppError('no-schema', `The dump does not make the schema "${target.dumpSchema ?? target.schema}".`)
}
