import { CopyOut } from './copy-out.ts'
import type { DumpNode, TableRows } from './node.ts'
import type { ReadSchema } from './read-schema.ts'
import type { Snapshot } from './session.ts'

/** The last lines of every complete dump, the same as pg_dump's. */
export const COMPLETION = '--\n-- PostgreSQL database dump complete\n--\n'

const FLUSH_AT = 64 * 1024

const OPENING = `SET statement_timeout = 0;
SET lock_timeout = 0;
SET idle_in_transaction_session_timeout = 0;
SET client_encoding = 'UTF8';
SET standard_conforming_strings = on;
SELECT pg_catalog.set_config('search_path', '', false);
SET check_function_bodies = false;
SET xmloption = content;
SET client_min_messages = warning;
SET row_security = off;
`

/**
 * The whole script in pieces of about 64 KiB, without the completion. Rows come as the server sends them.
 * @param doing is told what is being read, for error texts
 */
export async function* writeScript(
  snapshot: Snapshot,
  read: ReadSchema,
  doing: (what: string) => void,
): AsyncGenerator<Buffer, void, void> {
  let text = header(snapshot)
  for (const [at, entry] of read.entries.entries()) {
    text += heading(snapshot.schema, entry)
    if (entry.rows) {
      doing(`table ${entry.rows.table}`)
      text += `COPY ${entry.rows.table}${entry.rows.columns} FROM stdin;\n`
      yield Buffer.from(text)
      text = ''
      yield* copyRows(snapshot, entry.rows)
      text = '\\.\n\n\n'
    } else {
      text += `${[entry.write(), ...commentsOf(entry, read)].join('\n\n\n')}\n\n\n`
    }
    // the server looks for CREATE SCHEMA near the beginning, so what stays behind is told after it
    if (at === 0) text += notes(read)
    if (text.length >= FLUSH_AT) {
      yield Buffer.from(text)
      text = ''
    }
  }
  yield Buffer.from(text)
}

/** COPY as raw bytes: back-pressure reaches the server, rows are never looked at. */
async function* copyRows(snapshot: Snapshot, rows: TableRows): AsyncGenerator<Buffer, void, void> {
  const copy = snapshot.client.query(new CopyOut(`COPY ${rows.table}${rows.columns} TO STDOUT`))
  for await (const chunk of copy) {
    if (!Buffer.isBuffer(chunk)) throw new Error('COPY gave something else than bytes')
    yield chunk
  }
}

function header(snapshot: Snapshot): string {
  const lines = [
    '--',
    '-- PostgreSQL database dump',
    '--',
    '',
    `-- Dumped from database version ${oneLine(snapshot.serverVersion)}`,
    '-- Dumped by Backup Desk',
    '',
    OPENING,
  ]
  // transaction_timeout is of 17; older servers would refuse it, so it is not set
  return `${lines.join('\n')}\n`
}

function heading(schema: string, entry: DumpNode): string {
  const kind = entry.rows ? 'Data for Name' : 'Name'
  const place = entry.kind === 'SCHEMA' ? '-' : oneLine(schema)
  return `--\n-- ${kind}: ${oneLine(entry.name)}; Type: ${entry.kind}; Schema: ${place}; Owner: ${oneLine(entry.owner)}\n--\n\n`
}

function commentsOf(entry: DumpNode, read: ReadSchema): string[] {
  const written = [entry, ...entry.parts.filter((part) => part.inside === entry)]
  return written.flatMap((node) => read.comments.get(node) ?? [])
}

function notes(read: ReadSchema): string {
  if (read.notes.length === 0) return ''
  return `${read.notes.map((note) => `-- NOTE: ${oneLine(note)}\n`).join('')}\n\n`
}

/** A name with a line end in it would leave its comment line and be run as SQL. */
function oneLine(text: string): string {
  return text.replace(/[\r\n\u2028\u2029]+/g, ' ')
}
