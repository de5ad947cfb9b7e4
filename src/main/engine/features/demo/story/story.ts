import { translated } from '#engine/foundation/erlang/terms.ts'
import { PARAGRAPHS } from '../content/site.ts'
import type { Text } from '../content/types.ts'
import type { MediaFile } from '../history/records.ts'
import { type Deed, type NewResource, SiteHistory } from '../history/site-history.ts'
import { SeededRandom } from '../random.ts'
import { ADMIN } from './foundation.ts'
import { Timeline } from './timeline.ts'

/** What the chapters of the story share: the site, the timeline, names for things that get their id later. */
export class Story {
  readonly history = new SiteHistory()
  readonly timeline: Timeline
  readonly random = new SeededRandom(1671)
  readonly now: Date
  readonly #uploads: ReadonlyMap<string, MediaFile>
  readonly #ids = new Map<string, number>()

  constructor(now: Date, uploads: ReadonlyMap<string, MediaFile>) {
    this.now = now
    this.timeline = new Timeline(now)
    this.#uploads = uploads
  }

  /** Does something that many days ago, as the administrator or the person of that key. */
  onDay(days: number, by: 'admin' | 'marijke', run: (deed: Deed) => void, share = this.random.next()): void {
    const at = this.timeline.daysAgo(days, share)
    this.timeline.add(at, () => run({ at, by: by === 'admin' ? ADMIN : this.id(by) }))
  }

  insert(deed: Deed, key: string, input: NewResource): number {
    const id = this.history.insert(deed, null, input)
    this.#ids.set(key, id)
    return id
  }

  has(key: string): boolean {
    const id = this.#ids.get(key)
    return id !== undefined && this.history.resources.has(id)
  }

  id(key: string): number {
    const id = this.#ids.get(key)
    if (id === undefined) throw new RangeError(`the story has no ${key} yet`)
    return id
  }

  upload(key: string): MediaFile {
    const file = this.#uploads.get(key)
    if (!file) throw new RangeError(`no file was made for ${key}`)
    return file
  }

  /** A resource for a file, with the file; its key is `image KEY`. */
  addImage(deed: Deed, key: string, title: Text | string, more: Partial<NewResource> = {}): number {
    const file = this.upload(key)
    const id = this.insert(deed, `image ${key}`, { category: 'image', title, ...more })
    this.history.attach(deed, id, file)
    return id
  }

  /** That many paragraphs as HTML. */
  body(count: number): Text {
    const first = this.random.whole(0, PARAGRAPHS.length - 1)
    const chosen = Array.from(
      { length: count },
      (_, index) => PARAGRAPHS[(first + index) % PARAGRAPHS.length] ?? { en: '', nl: '' },
    )
    const html = (language: keyof Text) => chosen.map((text) => `<p>${text[language]}</p>`).join('\n')
    return { en: html('en'), nl: html('nl') }
  }
}

export function trans(text: Text) {
  return translated({ en: text.en, nl: text.nl })
}
