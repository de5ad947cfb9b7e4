import { setImmediate as nextTurn } from 'node:timers/promises'
import type { MediaFile } from '../history/records.ts'
import { tellCollection } from './collection.ts'
import { ADMIN, layFoundation } from './foundation.ts'
import type { Night } from './nights.ts'
import { tellPeopleAndPlaces } from './people-and-places.ts'
import { Story } from './story.ts'
import { tellWriting } from './writing.ts'

const BCRYPT_ALPHABET = './ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789'

/**
 * The story of the demo site up to now, still to be lived through night by night: ten weeks in which a museum's site is
 * made, written, edited and cleared up. The same every time, but for its dates, which lie before `now`.
 * @param encryption from when on the server encrypts its backups, and with which password
 */
export function tellStory(
  now: Date,
  uploads: ReadonlyMap<string, MediaFile>,
  encryption: { since: Date; password: string },
): Story {
  const story = new Story(now, uploads)
  const { history, timeline, random } = story
  // nobody can log in with these: they are the hash of nothing
  const hash = () => `$2a$12$${random.text(53, BCRYPT_ALPHABET)}`
  const adminHash = hash()
  const editorHash = hash()
  const start = timeline.daysAgo(68, 0.1)
  timeline.add(start, () => layFoundation(history, start, adminHash))
  tellPeopleAndPlaces(story, editorHash)
  tellCollection(story)
  tellWriting(story)
  const { since, password } = encryption
  timeline.add(since, () => {
    history.configure({ at: since, by: ADMIN }, 'mod_backup', 'backup_encrypt_password', password)
    history.configure({ at: since, by: ADMIN }, 'mod_backup', 'encrypt_backups', '1')
  })
  return story
}

/** Lives the story on up to a moment; a night also erases files that were deleted four weeks ago. */
export async function liveUntil(story: Story, until: Date, night: Night | null): Promise<void> {
  for (const [index, { run }] of story.timeline.takeUntil(until).entries()) {
    run()
    // others have their turn, too: most of the story lies before the first night
    if (index % 16 === 15) await nextTurn()
  }
  if (night) {
    story.history.eraseOldFiles(night.at)
    story.history.note({ at: night.at, by: ADMIN }, 'info', 'mod_backup', `Backup ${night.name} started`)
  }
}
