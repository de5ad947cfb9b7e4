import { createServer, type IncomingMessage, request, type ServerResponse } from 'node:http'
import { buffer } from 'node:stream/consumers'

/** What happens to a request on its way. */
export type Fault =
  /** The server is not asked: an error of S3 comes back. */
  | { kind: 'error'; status: number; code: string }
  /** The connection is torn down after so many bytes of the answer's body. */
  | { kind: 'reset-answer'; after: number }
  /** The connection is torn down after so many bytes of the request's body. */
  | { kind: 'reset-request'; after: number }
  /** The first byte of the request's body is another one when it arrives. */
  | { kind: 'corrupt-request' }
  /** The server does what it was asked to; its answer is lost. */
  | { kind: 'lost-answer' }
  /** Nothing comes any more after so many bytes of the answer's body. */
  | { kind: 'stall'; after: number }
  /** The answer says it is shorter than it should be, and is. */
  | { kind: 'truncate'; to: number }
  /** Headers of the answer are others; `date` shows a wrong clock. */
  | { kind: 'headers'; headers: Record<string, string> }
  /** Somebody else answers. */
  | { kind: 'answer'; by: (path: string, body: Buffer) => Promise<{ status: number; headers: Record<string, string> }> }
  /** Something is done first, e.g. by another program. */
  | { kind: 'first'; action: () => Promise<unknown> }

export interface FaultRule {
  fault: Fault
  /** Default: every request. */
  when?: (seen: { method: string; path: string; headers: IncomingMessage['headers'] }) => boolean
  /** How often it happens; default once. */
  times?: number
}

export interface HttpFaultProxy {
  endpoint: string
  /** `METHOD /path?query` of all requests. */
  readonly requests: string[]
  /** The first rule that fits is applied. */
  add(rule: FaultRule): void
  clear(): void
  close(): Promise<void>
}

/**
 * A way to an HTTP server on which requests and answers go wrong. The Host header stays as the client sent it: S3's signatures cover it.
 */
export async function startHttpFaultProxy(port: number): Promise<HttpFaultProxy> {
  let rules: (FaultRule & { left: number })[] = []
  const requests: string[] = []

  const faultOf = (incoming: IncomingMessage): Fault | null => {
    const seen = { method: incoming.method ?? '', path: incoming.url ?? '', headers: incoming.headers }
    const rule = rules.find(({ left, when }) => left > 0 && (when?.(seen) ?? true))
    if (!rule) return null
    rule.left -= 1
    return rule.fault
  }

  const server = createServer((incoming, outgoing) => {
    requests.push(`${incoming.method} ${incoming.url}`)
    const fault = faultOf(incoming)
    if (fault?.kind === 'error') {
      incoming.resume()
      outgoing.writeHead(fault.status, { 'content-type': 'application/xml' })
      outgoing.end(`<?xml version="1.0"?><Error><Code>${fault.code}</Code><Message>made up</Message></Error>`)
    } else if (fault?.kind === 'answer') {
      buffer(incoming)
        .then((body) => fault.by(incoming.url ?? '', body))
        .then(({ status, headers }) => outgoing.writeHead(status, headers).end())
        .catch(() => outgoing.destroy())
    } else if (fault?.kind === 'first') {
      fault.action().then(
        () => forward(incoming, outgoing, port, null),
        () => outgoing.destroy(),
      )
    } else {
      forward(incoming, outgoing, port, fault)
    }
  })
  server.keepAliveTimeout = 60_000
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  const address = server.address()
  if (address === null || typeof address === 'string') throw new Error('no port')
  return {
    endpoint: `http://127.0.0.1:${address.port}`,
    requests,
    add: (rule) => rules.push({ ...rule, left: rule.times ?? 1 }),
    clear() {
      rules = []
    },
    async close() {
      server.closeAllConnections()
      await new Promise<void>((resolve) => server.close(() => resolve()))
    },
  }
}

function forward(incoming: IncomingMessage, outgoing: ServerResponse, port: number, fault: Fault | null): void {
  const tear = () => incoming.socket.resetAndDestroy()
  const { method, url: path, headers } = incoming
  const onward = request({ host: '127.0.0.1', port, method, path, headers })
  onward.on('error', () => outgoing.destroy())
  outgoing.on('close', () => onward.destroy())

  let sent = 0
  incoming.on('data', (chunk: Buffer) => {
    if (fault?.kind === 'corrupt-request' && sent === 0) chunk[0] = (chunk[0] ?? 0) ^ 1
    sent += chunk.length
    if (fault?.kind === 'reset-request' && sent > fault.after) {
      tear()
      onward.destroy()
    } else if (!onward.write(chunk)) {
      incoming.pause()
      onward.once('drain', () => incoming.resume())
    }
  })
  incoming.on('end', () => onward.end())

  onward.on('response', (answer) => {
    if (fault?.kind === 'lost-answer') {
      answer.resume().on('end', tear)
      return
    }
    const changed = { ...answer.headers, ...(fault?.kind === 'headers' ? fault.headers : {}) }
    if (fault?.kind === 'truncate') changed['content-length'] = String(fault.to)
    outgoing.writeHead(answer.statusCode ?? 500, changed)
    let passed = 0
    answer.on('data', (chunk: Buffer) => {
      const limit = fault && 'after' in fault && fault.kind !== 'reset-request' ? fault.after : null
      const end = fault?.kind === 'truncate' ? fault.to : (limit ?? Number.POSITIVE_INFINITY)
      const piece = chunk.subarray(0, Math.max(0, end - passed))
      passed += chunk.length
      if (piece.length > 0 && !outgoing.write(piece)) {
        answer.pause()
        outgoing.once('drain', () => answer.resume())
      }
      if (fault?.kind === 'reset-answer' && passed >= fault.after) setTimeout(tear, 20)
    })
    answer.on('end', () => {
      if (fault?.kind !== 'stall' && fault?.kind !== 'reset-answer') outgoing.end()
      else if (fault.kind === 'reset-answer') tear()
    })
  })
}
