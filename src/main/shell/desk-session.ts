import { type Session, session } from 'electron'

/** The session of our windows. Its name has no `persist:`, so cookies, storage and caches live in memory only. */
export function deskSession(): Session {
  return session.fromPartition('desk')
}
