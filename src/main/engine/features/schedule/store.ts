import { readFile, rm } from 'node:fs/promises'
import { join } from 'node:path'
import { z } from 'zod'
import type { EngineContext } from '#engine/foundation/context.ts'
import { writeFileAtomic } from '#engine/foundation/files/atomic.ts'

const recordSchema = z.object({
  version: z.literal(1),
  last: z
    .object({ date: z.string(), at: z.iso.datetime(), outcome: z.enum(['made', 'failed', 'skipped']), text: z.string() })
    .nullable(),
  /** Code of the failure of `last`. */
  lastCode: z.string().nullable(),
  /** The job of the night that runs, or ran when its program died. */
  running: z.string().nullable(),
  /** UTC date of the last failure that somebody was told of. */
  toldOn: z.string().nullable(),
  /** UTC date of the last night whose proofs ran. */
  provenOn: z.string().nullable(),
})

/** `nights/SITE.json`: what became of the last night. Backups are looked up in the index, never here. */
export type NightRecord = z.infer<typeof recordSchema>

type Places = Pick<EngineContext, 'home' | 'log'>

const EMPTY: NightRecord = { version: 1, last: null, lastCode: null, running: null, toldOn: null, provenOn: null }

const fileOf = ({ home }: Places, site: string) => join(home.nights, `${site}.json`)

/** What can't be read counts as nothing known: the next night writes it anew. */
export async function readNight(context: Places, site: string): Promise<NightRecord> {
  const text = await readFile(fileOf(context, site), 'utf8').catch((error: NodeJS.ErrnoException) => {
    if (error.code === 'ENOENT') return null
    throw error
  })
  if (text === null) return EMPTY
  try {
    return recordSchema.parse(JSON.parse(text))
  } catch (error) {
    context.log.warn('what became of the last night could not be read', { site, error })
    return EMPTY
  }
}

/** Changes the record. The caller holds the lock of the site's night. */
export async function changeNight(context: Places, site: string, change: Partial<NightRecord>): Promise<void> {
  const record = { ...(await readNight(context, site)), ...change }
  await writeFileAtomic(fileOf(context, site), `${JSON.stringify(record)}\n`)
}

/** For a site that was removed: another one of that name starts with no past. */
export async function forgetNights(context: Places, site: string): Promise<void> {
  await rm(fileOf(context, site), { force: true })
}
