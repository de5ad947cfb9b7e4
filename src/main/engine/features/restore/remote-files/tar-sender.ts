import { tarHeader, tarPadding } from '#engine/features/backup/index.ts'
import type { RemoteProcess, SshConnection } from '#engine/foundation/connections/ssh/types.ts'
import type { TarEntry } from '#engine/foundation/content/read-tar.ts'
import type { Likeness } from '../files/put-in-place.ts'
import { serverToolFailed } from './server-tool.ts'

const PIECE_BYTES = 128 * 1024
const END = Buffer.alloc(1024)

/**
 * Writes many files into an empty folder of a server in one stream, which tar unpacks there: one by one each would take several ways
 * there and back. Their names are numbers of ours, so that nothing of an archive decides where a file goes.
 */
export class TarSender {
  readonly #server: SshConnection
  readonly #folder: string
  readonly #signal: AbortSignal
  readonly #onBytes: (bytes: number) => void
  #tar: RemoteProcess | null = null
  #pieces: Buffer[] = []
  #gathered = 0

  constructor(server: SshConnection, folder: string, signal: AbortSignal, onBytes: (bytes: number) => void) {
    this.#server = server
    this.#folder = folder
    this.#signal = signal
    this.#onBytes = onBytes
  }

  /** Resolves when the content was read, not when it is there. @param seconds of its time of change */
  async add(name: string, entry: Pick<TarEntry, 'size' | 'content'>, like: Likeness, seconds: number): Promise<void> {
    const { mode, owner } = like
    const { uid, gid } = owner ?? { uid: 0, gid: 0 }
    const { size } = entry
    await this.#send(
      tarHeader({ name: Buffer.from(name), kind: 'file', mode, size, modified: seconds, uid, gid, user: '', group: '' }),
    )
    for await (const chunk of entry.content) {
      await this.#send(chunk)
      this.#onBytes(chunk.length)
    }
    await this.#send(Buffer.alloc(tarPadding(size)))
  }

  /** Everything that was added lies in the folder, whole. @throws AppError `server-tool-failed`, `connection-lost`, `cancelled` */
  async finish(): Promise<void> {
    if (!this.#tar && this.#gathered === 0) return
    await this.#send(END)
    await this.#flush()
    const tar = this.#tar
    this.#tar = null
    if (!tar) return
    tar.stdin.end()
    for await (const _ of tar.stdout);
    const result = await tar.ended
    if (result.code !== 0) throw serverToolFailed('tar', result)
  }

  /** Ends what still runs. */
  close(): void {
    this.#tar?.stdout.destroy()
    this.#tar = null
  }

  async #send(bytes: Buffer): Promise<void> {
    // what is read from an archive lies in a buffer that is used again
    this.#pieces.push(Buffer.from(bytes))
    this.#gathered += bytes.length
    if (this.#gathered >= PIECE_BYTES) await this.#flush()
  }

  async #flush(): Promise<void> {
    this.#signal.throwIfAborted()
    const piece = Buffer.concat(this.#pieces)
    this.#pieces = []
    this.#gathered = 0
    this.#tar ??= await this.#start()
    const tar = this.#tar
    const isTaken = new Promise<void>((resolve, reject) => {
      tar.stdin.write(piece, (error) => (error ? reject(error) : resolve()))
    })
    try {
      // a tar that ended takes no more, and nobody would tell
      await Promise.race([isTaken, tar.ended.then((result) => Promise.reject(serverToolFailed('tar', result)))])
    } catch (error) {
      const result = await tar.ended
      throw result.code === 0 ? error : serverToolFailed('tar', result)
    }
  }

  async #start(): Promise<RemoteProcess> {
    // nobody else may look into what is on its way
    const script = 'umask 077 && cd "$1" && LC_ALL=C exec tar --numeric-owner -xpf -'
    const tar = await this.#server.start(['sh', '-c', script, 'sh', this.#folder], this.#signal)
    tar.ended.catch(() => {})
    tar.stdin.on('error', () => {})
    return tar
  }
}
