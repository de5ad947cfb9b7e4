import { preferencesSchema } from '#shared/contract/settings.ts'
import { formatBytes } from '#shared/format.ts'
import { type Outcome, wrongUse } from '../exit.ts'
import type { Session } from '../session.ts'

const KIB = 1024

/** `KIB` a second, or `off`. @returns null: no limit; undefined: it is only asked for */
export function readLimit(written: string | undefined): number | null | undefined {
  if (written === undefined) return undefined
  if (written === 'off') return null
  const limit = preferencesSchema.shape.transferLimit.safeParse(/^\d+$/.test(written) ? Number(written) : Number.NaN)
  if (limit.success) return limit.data
  throw wrongUse(`limit: "${written}" is neither "off" nor a number of KiB a second from 16 to 10,000,000.`)
}

/** Shows or changes what all transfers together may take. */
export async function limitTransfers({ engine }: Session, transferLimit: number | null | undefined): Promise<Outcome> {
  const { preferences } =
    transferLimit === undefined
      ? await engine.call('settings.get', {})
      : await engine.call('settings.update', { preferences: { transferLimit } })
  const limit = preferences.transferLimit
  const text =
    limit === null
      ? 'Transfers go as fast as the line lets them.'
      : `All together take at most ${formatBytes(limit * KIB)} a second.`
  return { result: { transferLimit: limit }, text: `${text}\n` }
}
