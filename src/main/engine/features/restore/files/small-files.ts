import type { TarEntry } from '#engine/foundation/content/read-tar.ts'
import type { Workers } from '#engine/foundation/workers.ts'
import type { SmallFile, SmallOutcome, StageBatch, StagedBatch } from './write-tasks.ts'

/** Files up to this size are gathered and written in worker threads; larger ones pass through one at a time. */
export const SMALL_BYTES = 256 * 1024
const BATCH_FILES = 64
const BATCH_BYTES = 2 * 1024 * 1024

/** A batch of small files whose content was read. */
export interface GatheredBatch {
  readonly bytes: number
  /** Compares them, and makes those ready that differ. */
  stage(): Promise<{ file: SmallFile & { parts: string[] }; outcome: SmallOutcome }[]>
}

/** Gathers the contents of small files in one buffer, which goes to a worker thread and comes back. */
export class SmallFiles {
  readonly #workers: Workers
  readonly #free: ArrayBuffer[] = []
  #files: (SmallFile & { parts: string[] })[] = []
  #content: Buffer | null = null
  #used = 0

  constructor(workers: Workers) {
    this.#workers = workers
  }

  /** Whether there is room for one more of that size. */
  hasRoom(size: number): boolean {
    return this.#files.length < BATCH_FILES && this.#used + size <= BATCH_BYTES
  }

  async add(file: Omit<SmallFile, 'offset' | 'size'> & { parts: string[] }, entry: TarEntry): Promise<void> {
    this.#content ??= Buffer.from(this.#free.pop() ?? new ArrayBuffer(BATCH_BYTES))
    let at = this.#used
    for await (const chunk of entry.content) at += chunk.copy(this.#content, at)
    this.#files.push({ ...file, offset: this.#used, size: entry.size })
    this.#used = at
  }

  /** What was gathered since the last time; null: nothing. */
  take(): GatheredBatch | null {
    const [files, content, bytes] = [this.#files, this.#content, this.#used]
    this.#files = []
    this.#content = null
    this.#used = 0
    if (!content || files.length === 0) return null
    return {
      bytes,
      stage: async () => {
        const batch: StageBatch = {
          files: files.map(({ parts: _, ...file }) => file),
          content: content.buffer as ArrayBuffer,
        }
        const staged = await this.#workers.run<StagedBatch>('restore.stage', batch, { transfer: [batch.content] })
        this.#free.push(staged.content)
        return files.map((file, at) => ({ file, outcome: staged.outcomes[at] ?? 'other' }))
      },
    }
  }
}
