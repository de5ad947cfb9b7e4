import { type Session, session, type WebPreferences } from 'electron'

/** The session of our windows. Its name has no `persist:`, so cookies, storage and caches live in memory only. */
export function deskSession(): Session {
  return session.fromPartition('desk')
}

/** What every window of ours is opened with: a sandboxed page that reaches nothing but its own preload's bridge. */
export function deskWebPreferences(preload: string): WebPreferences {
  return {
    preload,
    session: deskSession(),
    sandbox: true,
    contextIsolation: true,
    nodeIntegration: false,
    webviewTag: false,
    spellcheck: false,
  }
}
