/** Runs a bounded number of small tasks side by side, which hold a bounded number of bytes. */
export class InFlight {
  readonly #most: number
  readonly #mostBytes: number
  readonly #running = new Set<Promise<void>>()
  #bytes = 0
  #failure: { error: unknown } | null = null

  constructor(most: number, mostBytes: number) {
    this.#most = most
    this.#mostBytes = mostBytes
  }

  /**
   * Starts a task as soon as there is room for it and its bytes, and does not wait for its end.
   * @throws what an earlier task failed with
   */
  async start(bytes: number, task: () => Promise<void>): Promise<void> {
    while (this.#running.size >= this.#most || (this.#running.size > 0 && this.#bytes + bytes > this.#mostBytes)) {
      await Promise.race(this.#running)
    }
    this.#throwFailure()
    this.#bytes += bytes
    const run = task()
      .catch((error: unknown) => {
        this.#failure ??= { error }
      })
      .finally(() => {
        this.#bytes -= bytes
        this.#running.delete(run)
      })
    this.#running.add(run)
  }

  /** Waits until nothing runs any more. @throws what a task failed with */
  async drain(): Promise<void> {
    await this.settle()
    this.#throwFailure()
  }

  /** Waits until nothing runs any more, whatever came of it. */
  async settle(): Promise<void> {
    while (this.#running.size > 0) await Promise.race(this.#running)
  }

  #throwFailure(): void {
    if (this.#failure) throw this.#failure.error
  }
}
