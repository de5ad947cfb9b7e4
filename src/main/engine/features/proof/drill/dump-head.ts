const HEAD_BYTES = 256 * 1024

/** What the first lines of a plain dump say. */
export interface DumpHead {
  /** The schema that it makes; null: it makes none. */
  schema: string | null
  /** Major version of the server that it was made from; null: it does not say. */
  serverMajor: number | null
  /** Major version of the pg_dump that made it; null: it does not say. */
  dumperMajor: number | null
}

/** Of a dump that could not be opened. */
export const NO_HEAD: DumpHead = { schema: null, serverMajor: null, dumperMajor: null }

/**
 * Reads the head of a script and gives the whole script back, head included. Bounded: a dump makes its schema first.
 * Source: docs/formats.md, "Restoring".
 */
export async function readDumpHead(
  script: AsyncGenerator<Buffer, void, void>,
): Promise<{ head: DumpHead; whole: AsyncGenerator<Buffer, void, void> }> {
  const chunks: Buffer[] = []
  let bytes = 0
  let head = parseDumpHead('')
  while (bytes < HEAD_BYTES && head.schema === null) {
    const { value, done } = await script.next()
    if (done) break
    chunks.push(value)
    bytes += value.length
    head = parseDumpHead(Buffer.concat(chunks).toString('utf8', 0, HEAD_BYTES))
  }
  async function* whole(): AsyncGenerator<Buffer, void, void> {
    try {
      yield* chunks
      yield* script
    } finally {
      await script.return()
    }
  }
  return { head, whole: whole() }
}

/** @param text the beginning of a plain dump */
export function parseDumpHead(text: string): DumpHead {
  const [, quoted, plain] = /^CREATE SCHEMA (?:"((?:[^"]|"")+)"|([a-z_][a-z0-9_$]*));$/m.exec(text) ?? []
  const major = (pattern: RegExp) => {
    const found = pattern.exec(text)?.[1]
    return found === undefined ? null : Number(found)
  }
  return {
    schema: quoted?.replaceAll('""', '"') ?? plain ?? null,
    serverMajor: major(/^-- Dumped from database version (\d{1,3})/m),
    dumperMajor: major(/^-- Dumped by pg_dump version (\d{1,3})/m),
  }
}
