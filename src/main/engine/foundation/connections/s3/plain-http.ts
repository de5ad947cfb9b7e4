/** A signed request, as the SDK hands it to what sends it. */
export interface SignedGet {
  protocol: string
  hostname: string
  port?: number
  path: string
  query?: Record<string, string | string[] | null>
  headers: Record<string, string>
}

/** The head of an answer of HTTP/1.1. */
export interface AnswerHead {
  statusCode: number
  /** Names in lower case. */
  headers: Record<string, string>
}

/** The text of a request, whose signed headers name the host; null: it has something that is not written here. */
export function requestText({ path, query = {}, headers }: SignedGet): string | null {
  const pairs = Object.entries(query)
  if (pairs.some(([, value]) => typeof value !== 'string')) return null
  const search = pairs.map(([name, value]) => `${encodeURIComponent(name)}=${encodeURIComponent(String(value))}`).join('&')
  const lines = [`GET ${path}${search === '' ? '' : `?${search}`} HTTP/1.1`]
  for (const [name, value] of Object.entries(headers)) lines.push(`${name}: ${value}`)
  // a line end in a value would be the beginning of another header
  if (lines.some((line) => /[^\x20-\x7e]/.test(line))) return null
  return `${lines.join('\r\n')}\r\n\r\n`
}

/** Reads the head of an answer, without the empty line at its end; null: it is not as it should be, or one for the time being (1xx). */
export function parseHead(text: string): AnswerHead | null {
  const [first = '', ...lines] = text.split('\r\n')
  const status = /^HTTP\/1\.1 ([2-5]\d\d)(?: |$)/.exec(first)?.[1]
  if (status === undefined) return null
  const headers: Record<string, string> = {}
  for (const line of lines) {
    const [, name, value] = /^([!#$%&'*+.^_`|~\w-]+):[ \t]*(.*?)[ \t]*$/.exec(line) ?? []
    if (name === undefined || value === undefined) return null
    const key = name.toLowerCase()
    // two lengths: which of them its end follows can't be known
    if (key === 'content-length' && headers[key] !== undefined) return null
    headers[key] = headers[key] === undefined ? value : `${headers[key]}, ${value}`
  }
  return { statusCode: Number(status), headers }
}

/** The bytes of a body that comes as it is; null: it comes in another way (chunked, compressed, up to the end of the connection). */
export function plainLength({ headers }: AnswerHead): number | null {
  const length = headers['content-length']
  if (length === undefined || !/^\d{1,15}$/.test(length) || headers['transfer-encoding'] !== undefined) return null
  return headers['content-encoding'] === undefined ? Number(length) : null
}
