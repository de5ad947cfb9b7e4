import { Readable } from 'node:stream'
import { AppError } from '#shared/errors.ts'
import { orAborted } from '../or-aborted.ts'
import { limited, type RateLimit } from '../rate-limit.ts'
import { PATIENCE, type Patience, type Repeating, repeatedly, Tries } from './repeating.ts'
import { watchStalls } from './stall-watch.ts'
import type { ReadOptions, Repository } from './types.ts'

/** Chunks that wait for the reader; a stream of bytes would put them together, which costs as much as hashing them. */
const AHEAD_CHUNKS = 4
/** As for transfers, and two minutes at least: what was read is lost when it is given up, where a transfer goes on later. */
const READING_PATIENCE: Patience = { ...PATIENCE, pausesMs: [...PATIENCE.pausesMs, 30_000, 30_000, 30_000] }

export interface Steadiness {
  /** Ends all waiting. */
  signal: AbortSignal
  /** One sentence: what went wrong, and when it is tried again. */
  onNote: (text: string) => void
  /** What reads whole files may take of the line. */
  limit: RateLimit
  /** Default: about two minutes of an outage. */
  patience?: Patience | undefined
}

/**
 * The same repository for one who reads long: a lost line, a busy server or silence ends no read, which goes on at the byte
 * where it was, as long as the file is the same version. What can't be repeated, or was repeated in vain, is thrown. What
 * writes is as it was, and a folder of this computer is as it is.
 */
export function steadily(repository: Repository, { patience = READING_PATIENCE, limit, ...options }: Steadiness): Repository {
  if (repository.kind === 'folder') return repository
  const repeating: Repeating = { ...options, patience }
  return {
    ...repository,
    stat: (name) => repeatedly(`Looking at ${name}`, repeating, () => repository.stat(name)),
    readIndex: () => repeatedly('Reading backup.json', repeating, () => repository.readIndex()),
    async read(name, read = {}) {
      // of nobody knows which version, half of one and half of another might come
      return read.ifVersion === undefined
        ? repository.read(name, read)
        : readSteadily(repository, name, read, { ...repeating, limit })
    },
  }
}

/** Settles with the first byte, or the end. */
async function readSteadily(
  repository: Repository,
  name: string,
  { offset = 0, length, ifVersion, signal }: ReadOptions,
  { limit, ...repeating }: Repeating & Pick<Steadiness, 'limit'>,
): Promise<Readable> {
  const closing = new AbortController()
  const ended = AbortSignal.any([repeating.signal, closing.signal, ...(signal ? [signal] : [])])
  const tries = new Tries({ ...repeating, signal: ended })
  const end = length === undefined ? null : offset + length

  async function* read(): AsyncGenerator<Buffer, void, void> {
    for (let at = offset; ; ) {
      const rest = {
        offset: at,
        ...(end === null ? {} : { length: end - at }),
        ...(ifVersion === undefined ? {} : { ifVersion }),
      }
      try {
        const coming = readOnce(repository, name, rest, { signal: ended, stallMs: repeating.patience.stallMs })
        for await (const chunk of limited(coming, limit, ended)) {
          at += chunk.length
          tries.succeeded()
          yield chunk
        }
        return
      } catch (error) {
        await tries.failed(`Reading ${name}`, error)
      }
    }
  }

  const chunks = read()
  let next: Promise<IteratorResult<Buffer, void>> | null = Promise.resolve(await chunks.next())
  return new Readable({
    objectMode: true,
    highWaterMark: AHEAD_CHUNKS,
    read() {
      const coming = next ?? chunks.next()
      next = null
      coming.then(
        ({ done, value }) => this.push(done ? null : value),
        (error: Error) => this.destroy(error),
      )
    },
    destroy(error, done) {
      closing.abort()
      // it ends by the abort, and nobody waits for how
      chunks.return().catch(() => {})
      done(error)
    },
  })
}

/** One try. @throws AppError `stalled` when nothing comes for too long, and those of the repository */
async function* readOnce(
  repository: Repository,
  name: string,
  range: ReadOptions,
  { signal, stallMs }: { signal: AbortSignal; stallMs: number },
): AsyncGenerator<Buffer, void, void> {
  const stalling = new AbortController()
  const both = AbortSignal.any([signal, stalling.signal])
  const watch = watchStalls({ source: stallMs, target: stallMs, end: stallMs }, ({ message }) =>
    stalling.abort(
      new AppError('stalled', `${repository.place}: ${message}`, {
        hint: 'Is the connection still there? Try again when it is.',
      }),
    ),
  )
  try {
    const opening = repository.read(name, { ...range, signal: both })
    const source = await orAborted(opening, both).catch((error: unknown) => {
      opening.then((late) => late.on('error', () => {}).destroy()).catch(() => {})
      throw error
    })
    for await (const chunk of source as AsyncIterable<Buffer>) {
      watch.now('nothing')
      yield chunk
      watch.now('source')
    }
  } catch (error) {
    throw stalling.signal.aborted ? stalling.signal.reason : error
  } finally {
    watch.stop()
  }
}
