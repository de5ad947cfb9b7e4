import type { Duplex, Readable, Writable } from 'node:stream'
import type { HostKey } from '#shared/contract/servers.ts'
import type { SshSecrets, SshSettings } from '#shared/model/site.ts'

/** A machine to reach by SSH: its settings as the operator gave them, and their secrets, in memory only. */
export interface SshTarget {
  settings: SshSettings
  secrets: SshSecrets
}

export interface RunOptions {
  signal?: AbortSignal
  /** Written to the command's standard input, which is then closed; default: nothing. */
  input?: Readable | string
  /** More on standard output fails with `output-too-long`; default 1 MiB. */
  maxOutput?: number
  /** Default 60 s; null: none. */
  timeoutMs?: number | null
}

export interface RunResult {
  /** null: ended by a signal, or by the loss of the connection. */
  code: number | null
  stdout: string
  /** Its last 16 KiB. */
  stderr: string
}

/** A command that runs on the server, with its streams. */
export interface RemoteProcess {
  readonly stdout: Readable
  readonly stdin: Writable
  /** Settles when it ended and its output was read; rejects with `connection-lost`. */
  readonly ended: Promise<RunResult>
}

/** What a file of the server is. */
export interface RemoteFacts {
  kind: 'file' | 'folder' | 'link' | 'other'
  size: number
  /** Unix seconds. */
  modified: number
  /** Permission bits. */
  mode: number
  uid: number
  gid: number
}

export interface RemoteWriteOptions {
  offset?: number
  /** Fails with `exists` when there is such a file. */
  exclusive?: boolean
  mode?: number
  signal?: AbortSignal
  /** Called when the server has all bytes, right before it syncs them, with the end of what was written. */
  onTaken?: (end: number) => void
}

/**
 * Files of the server. Errors are AppErrors: `not-found`, `exists`, `permission-denied`, `disk-full`, `connection-lost`,
 * `remote-file-error`.
 */
export interface RemoteFiles {
  /** Of the path itself, links not followed; null: there is none. */
  facts(path: string): Promise<RemoteFacts | null>
  list(folder: string): Promise<{ name: string; facts: RemoteFacts }[]>
  /** Many requests in flight, in order. */
  read(path: string, options?: { offset?: number; length?: number; signal?: AbortSignal }): Promise<Readable>
  /**
   * Writes a stream from `offset` on (default 0, which creates or cuts the file), many requests in flight; synced where the
   * server can. Resolves with the file's size.
   */
  write(path: string, body: Readable, options?: RemoteWriteOptions): Promise<number>
  /** In place of what is there, in one step where the server can (posix-rename). */
  rename(from: string, to: string): Promise<void>
  /** A second name for a file; fails with `exists`. `unsupported`: the server can't. */
  link(from: string, to: string): Promise<void>
  remove(path: string): Promise<void>
  makeFolder(path: string, mode?: number): Promise<void>
  removeFolder(path: string): Promise<void>
  setFacts(path: string, facts: { mode?: number; uid?: number; gid?: number; modified?: number }): Promise<void>
}

/** A connection to a server, shared by all who use it. It comes back by itself after a loss; what was under way fails. */
export interface SshConnection {
  /** `deploy@web1.example.org:22`, for people. */
  readonly place: string
  /** Runs a command, an argument list: quoted here and nowhere else. A command that ends with another code than 0 is no error here. */
  run(command: readonly string[], options?: RunOptions): Promise<RunResult>
  /** Starts a command whose output is a stream. An abort ends it. */
  start(command: readonly string[], signal?: AbortSignal): Promise<RemoteProcess>
  readonly files: RemoteFiles
  /** A stream to a TCP port or Unix socket as the server sees it. */
  forward(to: { host: string; port: number } | { socketPath: string }, signal?: AbortSignal): Promise<Duplex>
}

/** One step of making a connection, with the time it took. */
export interface ConnectStep {
  name: 'resolve' | 'connect' | 'host-key' | 'log-in'
  finding: string
  milliseconds: number
}

/** The connections of an engine: one for each server and log-in, kept alive, closed when idle. */
export interface SshConnections {
  /**
   * The connection to a server, opened when there is none.
   * @param onStep called for each step that was done while connecting; not at all when the connection was there
   * @throws AppError `host-unknown`, `host-unreachable`, `host-key-unknown` (details: a HostKey), `host-key-changed` (details: both
   *   fingerprints), `host-key-revoked`, `log-in-refused`, `key-unreadable`, `key-passphrase`, `cancelled`
   */
  connect(target: SshTarget, options?: { signal?: AbortSignal; onStep?: (step: ConnectStep) => void }): Promise<SshConnection>
  /** Accepted host keys, see the contract's `hosts.*`. */
  readonly hostKeys: {
    list(): Promise<HostKey[]>
    accept(key: Pick<HostKey, 'host' | 'port' | 'fingerprint'>): Promise<HostKey>
    forget(host: string, port: number): Promise<boolean>
  }
  /** The hosts of `~/.ssh/config`. */
  aliases(): Promise<{ alias: string; host: string; user: string | null }[]>
  close(): Promise<void>
}
