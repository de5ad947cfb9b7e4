import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import { writeFileAtomic } from '#engine/foundation/files/atomic.ts'
import type { Home } from '#engine/foundation/home.ts'
import { type Site, type SiteInput, siteSchema } from '#shared/model/site.ts'
import { SITE_LABEL, SITE_NAME } from './content/site.ts'

/** Everything of the demo below the home folder. */
export interface DemoPlaces {
  root: string
  /** The embedded PostgreSQL. */
  cluster: string
  siteDir: string
  filesDir: string
  archiveDir: string
  backupDir: string
  securityDir: string
  databasePasswordFile: string
  encryptionPasswordFile: string
  /** Written last: without it the demo is half made, and is made anew. */
  marker: string
}

export function demoPlaces(home: Home): DemoPlaces {
  const root = home.demo
  const filesDir = join(root, 'files')
  return {
    root,
    cluster: join(root, 'cluster'),
    siteDir: join(root, 'site'),
    filesDir,
    archiveDir: join(filesDir, 'archive'),
    backupDir: join(filesDir, 'backup'),
    securityDir: join(root, 'security'),
    databasePasswordFile: join(root, 'database-password'),
    encryptionPasswordFile: join(root, 'encryption-password'),
    marker: join(root, 'demo.json'),
  }
}

/** Grows when the content changes: a demo of an older one is made anew at its next start. */
const CONTENT_VERSION = 1

const markerSchema = z.object({ version: z.literal(1), contentVersion: z.int(), madeAt: z.string() })

/** True when the demo was made to its end. */
export async function isMade(places: DemoPlaces): Promise<boolean> {
  try {
    const marker = markerSchema.parse(JSON.parse(await readFile(places.marker, 'utf8')))
    return marker.contentVersion === CONTENT_VERSION
  } catch {
    return false
  }
}

export async function markMade(places: DemoPlaces): Promise<void> {
  const marker = { version: 1, contentVersion: CONTENT_VERSION, madeAt: new Date().toISOString() }
  await writeFileAtomic(places.marker, `${JSON.stringify(marker)}\n`)
}

/** The demo's database: one role that owns one database with one schema. */
export const DATABASE = { database: SITE_NAME, schema: SITE_NAME, user: SITE_NAME }

/** The settings of the demo site for a cluster on this port. */
export function demoSite(places: DemoPlaces, port: number): Site {
  const input: SiteInput = {
    version: 1,
    name: SITE_NAME,
    label: SITE_LABEL,
    database: { host: '127.0.0.1', port, ...DATABASE, tls: 'disable' },
    server: { kind: 'folder', siteDir: places.siteDir, filesDir: places.filesDir, securityDir: places.securityDir },
    encryption: { enabled: true },
    rotation: 'auto',
  }
  return siteSchema.parse(input)
}
