/** The nights: when a site is backed up by itself, and which slot that replaces. */
export { previewNights, requireConfirmed, runDue, runMissed, setSchedule } from './operations.ts'
export { type Scheduler, startScheduler } from './scheduler.ts'
export { nightlyStates, nightsLine } from './standing.ts'
export { forgetNights } from './store.ts'
