import {
  atom,
  datetime,
  Float,
  type Term,
  type TermMap,
  termMap,
  translated,
  tuple,
  UNDEFINED,
} from '#engine/foundation/erlang/terms.ts'
import type { Text } from '../content/types.ts'
import type { Medium, Resource } from './records.ts'

export const CONTENT_GROUP = 319
const FOREVER = new Date('9999-06-01T00:00:00Z')

/** A title as Zotonic makes it part of an address. */
export function slugOf(title: Text | string): string {
  const text = typeof title === 'string' ? title : title.en
  return text
    .normalize('NFD')
    .toLowerCase()
    .replace(/[^a-z0-9.]+/g, '-')
    .replace(/^-+|-+$/g, '')
    .slice(0, 78)
}

function textTerm(text: Text | string): Term {
  return typeof text === 'string' ? text : translated({ en: text.en, nl: text.nl })
}

export function englishOf(text: Text | string): string {
  return typeof text === 'string' ? text : text.en
}

/** What the column `props` holds. */
export function propsTerm(resource: Resource): Term {
  const title = textTerm(resource.title)
  if (resource.isPropertyList) {
    return [...resource.props, ['title', title] as const].map(([key, value]) => tuple(atom(key), value))
  }
  return termMap({
    ...Object.fromEntries(resource.props),
    title,
    title_slug: typeof resource.title === 'string' ? slugOf(resource.title) : slugTerm(resource.title),
    tz: 'Europe/Amsterdam',
    ...(resource.pagePath === null ? {} : { page_path: resource.pagePath }),
    ...(resource.dateStart === null ? {} : { date_start: datetime(resource.dateStart), date_is_all_day: false }),
    ...(resource.dateEnd === null ? {} : { date_end: datetime(resource.dateEnd) }),
    ...(resource.firstName === null ? {} : { name_first: resource.firstName }),
    ...(resource.surname === null ? {} : { name_surname: resource.surname }),
    ...placeOf(resource),
  })
}

function slugTerm(title: Text): Term {
  return translated({ en: slugOf(title.en), nl: slugOf(title.nl) })
}

function placeOf({ latitude, longitude }: Resource): Record<string, Term> {
  if (latitude === null || longitude === null) return {}
  return { location_lat: new Float(latitude), location_lng: new Float(longitude) }
}

/**
 * What a revision stores. The first one of a resource lacks the columns that only an update knows, and one at deletion
 * lacks what is kept for searching; real servers write them so (docs/formats.md, "Revisions").
 */
export function revisionTerm(resource: Resource, type: 'P' | 'D', categoryNr: number): TermMap {
  const props = propsTerm({ ...resource, isPropertyList: false })
  const map: TermMap = new Map(props instanceof Map ? props : [])
  const put = (entries: Record<string, Term>) => {
    for (const [key, value] of Object.entries(entries)) map.set(key, value)
  }
  put({
    category_id: resource.categoryId,
    content_group_id: CONTENT_GROUP,
    is_authoritative: true,
    is_published: resource.isPublished,
    language: resource.languages.map(atom),
    modified: datetime(resource.modified),
    modifier_id: resource.modifierId,
    publication_start: datetime(resource.publicationStart),
    slug: slugOf(resource.title),
    version: resource.version,
  })
  if (type === 'D' || resource.version > 1) {
    put({
      created: datetime(resource.created),
      creator_id: resource.creatorId,
      id: resource.id,
      is_dependent: resource.isDependent,
      is_featured: resource.isFeatured,
      is_protected: resource.isProtected,
      is_unfindable: false,
      name: resource.name ?? UNDEFINED,
      pivot_geocode: UNDEFINED,
      pivot_location_lat: resource.latitude === null ? UNDEFINED : new Float(resource.latitude),
      pivot_location_lng: resource.longitude === null ? UNDEFINED : new Float(resource.longitude),
      publication_end: datetime(FOREVER),
      uri: UNDEFINED,
      visible_for: 0,
    })
  }
  if (type === 'D') put({ privacy: 0 })
  else put(searchColumns(resource, categoryNr))
  return map
}

function searchColumns(resource: Resource, categoryNr: number): Record<string, Term> {
  const date = (value: Date | null): Term => (value === null ? UNDEFINED : datetime(value))
  const monthDay = (value: Date | null): Term => monthDayOf(value) ?? UNDEFINED
  return {
    date_start: date(resource.dateStart),
    date_end: date(resource.dateEnd),
    pivot_category_nr: categoryNr,
    pivot_date_start: date(resource.dateStart),
    pivot_date_end: date(resource.dateEnd),
    pivot_date_start_month_day: monthDay(resource.dateStart),
    pivot_date_end_month_day: monthDay(resource.dateEnd),
    pivot_page_path: resource.pagePath === null ? UNDEFINED : [resource.pagePath],
    pivot_title: englishOf(resource.title).toLowerCase().slice(0, 100),
  }
}

/** 1130 for 30 November. */
export function monthDayOf(date: Date | null): number | null {
  return date === null ? null : (date.getUTCMonth() + 1) * 100 + date.getUTCDate()
}

/** What is in `medium.props`: facts without a column. Names of uploads are Erlang strings: lists of characters. */
export function mediumProps(medium: Medium): TermMap {
  return termMap({ is_av_scanned: false, original_filename: [...Buffer.from(medium.originalName, 'utf8')], exif: new Map() })
}

/** A row of `medium` as `backup_medium_log` keeps it. */
export function mediumLogTerm(medium: Medium): TermMap {
  return new Map<Term, Term>([
    ...mediumProps(medium),
    ...termMap({
      created: datetime(medium.created),
      digest: medium.digest,
      filename: medium.filename,
      frame_count: UNDEFINED,
      height: medium.height,
      id: medium.id,
      is_deletable_file: true,
      is_deletable_preview: false,
      mime: medium.mime,
      orientation: 1,
      preview_filename: UNDEFINED,
      preview_height: 0,
      preview_width: 0,
      rootname: rootnameOf(medium.filename),
      size: medium.size,
      width: medium.width,
    }),
  ])
}

export function rootnameOf(filename: string): string {
  const name = filename.slice(filename.lastIndexOf('/') + 1)
  return name.slice(0, name.lastIndexOf('.')).slice(0, 100)
}
