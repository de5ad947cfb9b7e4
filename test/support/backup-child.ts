/** A program of its own that makes one backup, for tests that kill it: `node backup-child.ts JSON`. */
import { startBackup } from '#engine/features/backup/index.ts'
import { openTestContext } from './engine-context.ts'

const [json] = process.argv.slice(2)
if (json === undefined) throw new Error('usage: backup-child.ts JSON')
const { home, secrets, request } = JSON.parse(json)
const { context, close } = await openTestContext(home, { secrets })
await startBackup(context, request).done
await close()
