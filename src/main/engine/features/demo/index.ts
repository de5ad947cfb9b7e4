/** The demo site: an embedded PostgreSQL, folders and backups that look like a real site's. */
export {
  attachDemo,
  closeDemo,
  type DemoStarted,
  demoState,
  reapEmbedded,
  removeDemo,
  resetDemo,
  startDemo,
  stopDemo,
} from './demo.ts'
