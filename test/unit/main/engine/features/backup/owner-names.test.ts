import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { expect, it } from 'vitest'
import { readOwnerNames } from '#engine/features/backup/owner-names.ts'
import type { ArchiveProblem } from '#engine/features/backup/tree.ts'
import { temporaryFolder } from '#test/support/home.ts'

it('knows users and groups by their number, the first name of each', async () => {
  const folder = await temporaryFolder()
  await writeFile(join(folder, 'passwd'), 'root:x:0:0::/root:/bin/sh\ntoor:x:0:0:::\n+::::::\nweb:x:33:34:::\n')
  await writeFile(join(folder, 'group'), 'root:x:0:\nwww:x:34:web\n')
  const problems: ArchiveProblem[] = []
  const names = await readOwnerNames((problem) => problems.push(problem), folder)
  expect([0, 33, 34].map((id) => [names.user(id), names.group(id)])).toEqual([
    ['root', 'root'],
    ['web', ''],
    ['', 'www'],
  ])
  expect(problems).toEqual([])
})

it('knows none where the system has no such files, and tells when it has and they can’t be read', async () => {
  const folder = await temporaryFolder()
  // a folder is what root can’t read either
  await mkdir(join(folder, 'passwd'))
  const problems: ArchiveProblem[] = []
  const names = await readOwnerNames((problem) => problems.push(problem), folder)
  expect([names.user(0), names.group(0)]).toEqual(['', ''])
  expect(problems).toEqual([
    { path: join(folder, 'passwd'), code: 'unreadable', text: expect.stringMatching(/\(EISDIR\).*numbers of their owners/) },
  ])
})
