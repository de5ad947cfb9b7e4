/**
 * A program that writes a slot and is killed (SIGKILL) before the step that it was told, or while it makes its parts.
 * Arguments: folder, owner, isEncrypted, step.
 */
import { openFolderRepository } from '#engine/foundation/repository/folder.ts'
import { writeSlot } from '#engine/foundation/repository/slot-writer.ts'
import { makeParts, SLOT_JOB } from './slots.ts'

const [folder = '', owner = '', isEncrypted = '', killedBefore = ''] = process.argv.slice(2)

function die(step: string): void {
  if (step === killedBefore) process.kill(process.pid, 'SIGKILL')
}

const repository = openFolderRepository({ folder, owner: owner === 'home' ? 'home' : 'server', create: owner === 'home' })
const parts = await makeParts(repository, 'new', isEncrypted === 'true', (kind) => die(`half of ${kind}`))
await writeSlot(repository, {
  jobId: SLOT_JOB,
  name: 'testsite-1',
  timestamp: 2000,
  isEncrypted: isEncrypted === 'true',
  parts,
  onStep: die,
})
