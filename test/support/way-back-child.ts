/**
 * A program of its own that goes back or deletes what is kept, for tests that kill it: `node way-back-child.ts JSON`. It kills
 * itself before the n-th change of a file below `below`, or of the database; prints how many there were when it came to its end.
 */
import fs from 'node:fs/promises'
import { syncBuiltinESMExports } from 'node:module'
import pg from 'pg'

const [json] = process.argv.slice(2)
if (json === undefined) throw new Error('usage: way-back-child.ts JSON')
const { home, secrets, kind, killAt, below } = JSON.parse(json)

let count = 0
let isCounting = false
const step = (what: string) => {
  if (!isCounting) return
  count += 1
  if (count !== killAt) return
  process.stdout.write(`${what}\n`)
  process.kill(process.pid, 'SIGKILL')
}

for (const name of ['rename', 'link', 'rm', 'rmdir', 'mkdir'] as const) {
  const original = fs[name] as (...args: unknown[]) => Promise<unknown>
  Object.assign(fs, {
    [name]: (...args: unknown[]) => {
      if (String(args[0]).startsWith(below) || String(args[1]).startsWith(below)) step(name)
      return original(...args)
    },
  })
}
syncBuiltinESMExports()

const query = pg.Client.prototype.query as (...args: unknown[]) => unknown
Object.assign(pg.Client.prototype, {
  query(this: pg.Client, ...args: unknown[]) {
    const text = String(args[0])
    const isChange = /^(COMMIT|ALTER SCHEMA|DROP SCHEMA|LOCK TABLE)/.test(text)
    if (isChange) step(text.slice(0, 12))
    const answer = query.apply(this, args)
    if (text !== 'COMMIT') return answer
    // sent, perhaps done, but nobody knows of it
    return (answer as Promise<unknown>).then((result) => {
      step('COMMIT done')
      return result
    })
  },
})

const { openTestContext } = await import('./engine-context.ts')
const { planWayBack, runWayBack } = await import('./way-back-site.ts')
const { context, close } = await openTestContext(home, { secrets })
const plan = await planWayBack(context, kind)
isCounting = true
const job = await runWayBack(context, plan.id)
isCounting = false
await close()
process.stdout.write(`${job.state} ${count}\n`)
process.exit(job.state === 'done' ? 0 : 1)
