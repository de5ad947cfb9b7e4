import { mkdir, readdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it, onTestFinished } from 'vitest'
import { createJournal } from '#engine/foundation/jobs/journal.ts'
import { ownIdentity, type ProcessIdentity } from '#engine/foundation/process-identity.ts'
import { recoverInterruptedWork } from '#engine/recovery.ts'
import type { Job } from '#shared/model/job.ts'
import { openTestContext } from '#test/support/engine-context.ts'
import { temporaryFolder } from '#test/support/home.ts'

const AT = '2026-11-23T00:00:00.000Z'

it('removes what jobs of dead programs had brought here or made here, and leaves that of live ones', async () => {
  const { context, jobs, close } = await openTestContext(await temporaryFolder())
  onTestFinished(close)
  const { home } = context
  const begin = async (id: string, owner: ProcessIdentity) => {
    const none = { startedAt: AT, endedAt: null, phase: null, items: [], question: null, holds: [], result: null, error: null }
    const job: Job = {
      id,
      kind: 'drill',
      title: 'x',
      site: null,
      state: 'running',
      createdAt: AT,
      ...none,
      program: 'test',
      seen: true,
    }
    const journal = await createJournal(home.jobs, id)
    await journal.append({ type: 'created', at: AT, owner, job }, true)
    await journal.close()
    for (const folder of [`fetched-${id}`, `backup-${id}`]) {
      await mkdir(join(home.scratch, folder))
      await writeFile(join(home.scratch, folder, 'testsite-1.sql.gz'), 'plain bytes')
    }
  }
  await begin('20261123T000000000-dead', { pid: 2 ** 22 + 1, start: '1' })
  await begin('20261123T000000000-live', ownIdentity())
  await recoverInterruptedWork(context, jobs)
  expect((await readdir(home.scratch)).sort()).toEqual(['backup-20261123T000000000-live', 'fetched-20261123T000000000-live'])
})
