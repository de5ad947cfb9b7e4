import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { afterAll, beforeAll, describe } from 'vitest'
import { openSftpRepository } from '#engine/foundation/repository/sftp.ts'
import { repositoryContract } from '#test/support/repository-contract.ts'
import { slotContract } from '#test/support/slot-contract.ts'
import { openTestSsh, type TestSsh } from '#test/support/ssh-connection.ts'
import { type Sshd, startSshd, whyNoSshd } from '#test/support/sshd.ts'

const why = whyNoSshd()
if (why) console.error(`SKIPPED in repository-sftp.test.ts: ${why}`)

describe.skipIf(why !== null)('a folder of a server', () => {
  let sshd: Sshd
  let ssh: TestSsh
  beforeAll(async () => {
    sshd = await startSshd()
    ssh = await openTestSsh(sshd)
  })
  afterAll(async () => {
    await ssh.close()
    await sshd.stop()
  })

  const newFolder = () => mkdtemp(join(sshd.folder, 'backup-'))
  const open = async (folder: string) => openSftpRepository({ connection: await ssh.connect(), folder })

  repositoryContract('sftp', async () => open(await newFolder()))
  slotContract(
    'sftp',
    async () => {
      const folder = await newFolder()
      return {
        open: () => open(folder),
        putForeign: (name, content) => (content === null ? rm(join(folder, name)) : writeFile(join(folder, name), content)),
      }
    },
    { isServer: true },
  )
})
