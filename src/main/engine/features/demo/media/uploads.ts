import { ARTEFACTS } from '../content/artefacts.ts'
import { HAPPENINGS } from '../content/happenings.ts'
import { PEOPLE } from '../content/people.ts'
import { PARAGRAPHS, SITE_TITLE } from '../content/site.ts'
import type { Picture } from '../content/types.ts'
import { slugOf } from '../history/properties.ts'
import type { MediaFile } from '../history/records.ts'
import { drawSvg, printPdf } from './documents.ts'
import { paintPicture } from './pictures.ts'

/** Replaced later in the story: the first try was too dark, or showed the wrong thing. */
export const REPLACED = ['harbour', 'bell', 'e_night']

/** Pictures of the building and the work, for pages and collections. */
export const LOOSE_PICTURES: [key: string, name: string, kind: Picture][] = [
  ['slip', 'slipway-from-the-water', 'sea'],
  ['quay_morning', 'quay-in-the-morning', 'sea'],
  ['workbench', 'workbench', 'still-life'],
  ['mould_loft', 'mould-loft-floor', 'plan'],
  ['tool_wall', 'tools', 'still-life'],
  ['cafe_tiles', 'cafe-wall', 'tiles'],
  ['unused', 'test-shot', 'still-life'],
  ['twice', 'slipway-from-the-water-2', 'sea'],
]

/** All files that are uploaded in the story, by key; the same every time. About 60 files, 9 MB. */
export async function makeUploads(signal: AbortSignal, onFile: () => void): Promise<Map<string, MediaFile>> {
  const uploads = new Map<string, MediaFile>()
  let seed = 1904
  const paint = async (key: string, name: string, kind: Picture) => {
    signal.throwIfAborted()
    const { bytes, width, height } = await paintPicture(kind, seed++)
    uploads.set(key, { name: `${name}.png`, mime: 'image/png', width, height, bytes })
    onFile()
  }
  for (const { key, title, picture } of ARTEFACTS) await paint(key, slugOf(title).slice(0, 40), picture)
  for (const { key, title } of HAPPENINGS) await paint(key, `poster-${slugOf(title).slice(0, 30)}`, seed % 2 ? 'tiles' : 'sea')
  for (const { key, surname } of PEOPLE.filter((person) => person.born))
    await paint(key, `portrait-${slugOf(surname)}`, 'still-life')
  for (const [key, name, kind] of LOOSE_PICTURES) await paint(key, name, kind)
  for (const key of REPLACED) await paint(`${key} again`, `${key.replace('_', '-')}-2`, key === 'bell' ? 'still-life' : 'sea')
  const paragraphs = PARAGRAPHS.map(({ en }) => en)
  for (const [index, [key, title]] of DOCUMENTS.entries()) {
    const bytes = printPdf(title, [...paragraphs.slice(index * 2, index * 2 + 4)])
    uploads.set(key, { name: `${slugOf(title)}.pdf`, mime: 'application/pdf', width: 0, height: 0, bytes })
  }
  for (const [index, [key, title]] of DRAWINGS.entries()) {
    const bytes = drawSvg(title, 190 + index * 60)
    uploads.set(key, { name: `${slugOf(title)}.svg`, mime: 'image/svg+xml', width: 400, height: 180, bytes })
  }
  return uploads
}

export const DOCUMENTS: [key: string, title: string][] = [
  ['d_report', 'Annual report'],
  ['d_prices', 'Prices and opening hours'],
  ['d_house_rules', 'House rules'],
  ['d_loan', 'Loan agreement, form'],
]

export const DRAWINGS: [key: string, title: string][] = [
  ['s_logo', SITE_TITLE.en],
  ['s_floor_plan', 'Floor plan'],
  ['s_visitors', 'Visitors by month'],
]
