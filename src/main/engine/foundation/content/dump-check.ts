import { formatBytes } from '#shared/format.ts'
import { type ContentCheck, ContentProblem } from './content-problem.ts'

const EDGE_BYTES = 4096
const FIRST_LINE = '-- PostgreSQL database dump'
const LAST_LINE = '-- PostgreSQL database dump complete'

/** Tells whether a script is a whole plain dump: it starts as pg_dump's do, and its completion line is its last word. */
export class DumpCheck implements ContentCheck {
  #head = Buffer.alloc(0)
  #tail = Buffer.alloc(0)
  #bytes = 0
  /** Newer versions of pg_dump open with `\restrict TOKEN` and close with the same token. */
  #restriction: string | null = null

  write(chunk: Buffer): void {
    this.#bytes += chunk.length
    if (this.#head.length < EDGE_BYTES) {
      this.#head = Buffer.concat([this.#head, chunk.subarray(0, EDGE_BYTES - this.#head.length)])
      if (this.#head.length === EDGE_BYTES) this.#checkStart()
    }
    // a copy, so that the large chunk can go
    this.#tail = Buffer.concat([this.#tail, chunk.subarray(-EDGE_BYTES)]).subarray(-EDGE_BYTES)
  }

  end(): string {
    this.#checkStart()
    const lines = this.#tail.toString('latin1').split('\n')
    const last = lines.findLast((line) => !mayFollowEnd(line))
    const isClosed = this.#restriction === null || lines.includes(`\\unrestrict ${this.#restriction}`)
    if (last !== LAST_LINE || !isClosed) throw new ContentProblem('the dump is cut: its completion line is not its last line')
    return `${formatBytes(this.#bytes)} of SQL up to the completion line`
  }

  #checkStart(): void {
    const lines = this.#head.toString('latin1').split('\n')
    const first = lines.find((line) => line !== '' && line !== '--')
    if (first !== FIRST_LINE) throw new ContentProblem('the content does not start as a dump of pg_dump does')
    this.#restriction = lines.find((line) => line.startsWith('\\restrict '))?.slice(10) ?? null
  }
}

/** Lines that may follow the completion line. */
function mayFollowEnd(line: string): boolean {
  return line === '' || line === '--' || line.startsWith('\\unrestrict ')
}
