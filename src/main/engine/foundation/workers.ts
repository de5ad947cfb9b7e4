/** CPU work off the event loop. */
export interface Workers {
  /**
   * Runs a task of the worker file by name in a worker thread and resolves with its result.
   * An abort rejects with `cancelled` and frees the thread.
   */
  run<R>(task: string, payload: unknown, options?: { transfer?: ArrayBuffer[]; signal?: AbortSignal }): Promise<R>
  readonly size: number
  close(): Promise<void>
}
