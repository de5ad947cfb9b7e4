import type { EngineEvent } from '#shared/contract/events.ts'
import type { Confirmation } from '#shared/model/plan.ts'
import type { SshConnections } from './connections/ssh/types.ts'
import type { Home } from './home.ts'
import type { Jobs } from './jobs/types.ts'
import type { Locks } from './locks.ts'
import type { Logger } from './log.ts'
import type { Preferences } from './settings/preferences.ts'
import type { Secrets } from './settings/secrets.ts'
import type { Sites } from './settings/sites.ts'
import type { Workers } from './workers.ts'

/** Something that went wrong while nobody looked: for the desktop's notifications. Never a secret. */
export interface Notice {
  site: string
  title: string
  text: string
}

/** What the procedures and features of one engine share. */
export interface EngineContext {
  readonly home: Home
  readonly log: Logger
  readonly locks: Locks
  readonly jobs: Jobs
  readonly sites: Sites
  readonly secrets: Secrets
  readonly preferences: Preferences
  readonly workers: Workers
  readonly ssh: SshConnections
  /** Asks the person at the shell; true only when the name was typed and the action confirmed. */
  confirm(confirmation: Confirmation): Promise<boolean>
  emit(event: EngineEvent): void
  /** Tells the person at the desktop; a terminal, whose user reads what is printed, does nothing. */
  notify(notice: Notice): void
  /** 'window' or 'zbd'. */
  readonly program: string
  readonly version: string
}
