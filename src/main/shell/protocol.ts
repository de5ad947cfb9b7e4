import { randomBytes } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { extname, join, sep } from 'node:path'
import { net, protocol } from 'electron'
import { deskSession } from './desk-session.ts'
import { APP_ORIGIN, places } from './places.ts'

const TYPES: Record<string, string> = {
  '.html': 'text/html; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.woff2': 'font/woff2',
}

/** The development server of the build; null in a built app. */
export const devServer = process.env.ELECTRON_RENDERER_URL ? new URL(process.env.ELECTRON_RENDERER_URL) : null

export function registerAppScheme(): void {
  protocol.registerSchemesAsPrivileged([{ scheme: 'app', privileges: { standard: true, secure: true, supportFetchAPI: true } }])
}

/** Serves the window's pages from `app://desk/` and nothing else. */
export function serveApp(): void {
  deskSession().protocol.handle('app', (request) => answer(request))
}

async function answer(request: Request): Promise<Response> {
  const url = new URL(request.url)
  if (request.method !== 'GET' || `${url.protocol}//${url.host}` !== APP_ORIGIN) return new Response('Not found', { status: 404 })
  if (devServer) return proxied(url, devServer)
  const path = fileOf(url.pathname)
  const type = path === null ? undefined : TYPES[extname(path)]
  if (path === null || type === undefined) return new Response('Not found', { status: 404 })
  const body = await readFile(path).catch(() => null)
  if (body === null) return new Response('Not found', { status: 404 })
  return withHeaders(body, type)
}

/** A path in the renderer's folder, or null for one that would leave it. */
export function fileOf(pathname: string, folder: string = places.renderer): string | null {
  let decoded: string
  try {
    decoded = decodeURIComponent(pathname)
  } catch {
    return null
  }
  if (/[\0\\]/.test(decoded)) return null
  const path = join(folder, decoded === '/' ? 'index.html' : decoded)
  return path.startsWith(folder + sep) ? path : null
}

/** While developing, the origin stays app://desk and its files come from the build's server, with hot reload. */
async function proxied(url: URL, server: URL): Promise<Response> {
  const source = await net.fetch(new URL(url.pathname + url.search, server).href)
  const type = source.headers.get('content-type') ?? 'application/octet-stream'
  return withHeaders(Buffer.from(await source.arrayBuffer()), type, server)
}

function withHeaders(body: Buffer, type: string, server: URL | null = null): Response {
  const headers: Record<string, string> = {
    'content-type': type,
    'x-content-type-options': 'nosniff',
    'cache-control': 'no-store',
  }
  if (!type.startsWith('text/html')) return new Response(new Uint8Array(body), { headers })
  const nonce = randomBytes(16).toString('base64')
  headers['content-security-policy'] = contentSecurityPolicy(nonce, server)
  headers['referrer-policy'] = 'no-referrer'
  return new Response(body.toString('utf8').replaceAll('__CSP_NONCE__', nonce), { headers })
}

function contentSecurityPolicy(nonce: string, server: URL | null): string {
  const reload = server ? ` ws://${server.host}` : ''
  return [
    "default-src 'none'",
    `script-src 'self' 'nonce-${nonce}'`,
    `style-src 'self' 'nonce-${nonce}'`,
    "img-src 'self' data:",
    "font-src 'self'",
    `connect-src 'self'${reload}`,
    "base-uri 'none'",
    "form-action 'none'",
    "frame-src 'none'",
    "frame-ancestors 'none'",
  ].join('; ')
}
