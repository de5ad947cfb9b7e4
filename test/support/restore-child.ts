/** A program of its own that restores a backup, for tests that kill it: `node restore-child.ts JSON`. */
import { openTestContext } from './engine-context.ts'
import { makePlan, runPlan } from './restore-site.ts'

const [json] = process.argv.slice(2)
if (json === undefined) throw new Error('usage: restore-child.ts JSON')
const { home, secrets } = JSON.parse(json)
const { context, close } = await openTestContext(home, { secrets })
const plan = await makePlan(context)
console.log('running')
const job = await runPlan(context, plan.id)
await close()
process.exit(job.state === 'done' ? 0 : 1)
