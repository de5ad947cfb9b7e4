/** A program of its own that restores a backup, for tests that kill it: `node restore-child.ts JSON`. Prints each step that begins. */
import { openTestContext } from './engine-context.ts'
import { makePlan, runPlan } from './restore-site.ts'

const [json] = process.argv.slice(2)
if (json === undefined) throw new Error('usage: restore-child.ts JSON')
const { home, secrets, safetyBackup } = JSON.parse(json)
const begun = new Set<string>()
const { context, close } = await openTestContext(home, {
  secrets,
  onEvent(event) {
    if (event.type !== 'job') return
    for (const { id, state } of event.job.items) {
      if (state === 'waiting' || begun.has(id)) continue
      begun.add(id)
      process.stdout.write(`${id}\n`)
    }
  },
})
const plan = await makePlan(context, { safetyBackup })
const job = await runPlan(context, plan.id)
await close()
process.exit(job.state === 'done' ? 0 : 1)
