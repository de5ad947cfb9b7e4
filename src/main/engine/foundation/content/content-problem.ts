/** What is wrong with a part's content, in one clause without a capital or full stop. */
export class ContentProblem extends Error {}

/** Reads what is inside a part, chunk by chunk, with memory that does not grow. Both throw a {@link ContentProblem}. */
export interface ContentCheck {
  write(chunk: Buffer): void
  /** The end was reached. Returns what was found, for people. */
  end(): string
}
