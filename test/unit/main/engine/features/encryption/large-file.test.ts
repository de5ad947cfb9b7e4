import { createCipheriv } from 'node:crypto'
import { createWriteStream } from 'node:fs'
import { join } from 'node:path'
import { Readable } from 'node:stream'
import { pipeline } from 'node:stream/promises'
import { expect, test } from 'vitest'
import { decryptFile, readEncHeader } from '#engine/features/encryption/index.ts'
import { workerFile } from '#engine/foundation/bundles.ts'
import { createWorkers } from '#engine/foundation/workers.ts'
import { formatBytes } from '#shared/format.ts'
import { temporaryFolder } from '#test/support/home.ts'
import { watchTurns } from '#test/support/turns.ts'
import { createEncHeader } from '../../../../../../src/main/engine/features/encryption/header.ts'

const SIZE = 300_000_000
const isHeavy = process.env.HEAVY === '1'
if (!isHeavy) console.warn('SKIPPED: decrypting 300 MB takes half a minute; HEAVY=1 runs it')

test.runIf(isHeavy)('300 MB: memory stays flat, the event loop free', { timeout: 300_000 }, async () => {
  const folder = await temporaryFolder()
  const path = join(folder, 'large.bin.enc')
  const { header, key } = await createEncHeader('pw')
  const plain = Buffer.alloc(1_000_000, 'all work and no play ')
  const cipher = createCipheriv('aes-256-cfb8', key.key, readEncHeader(header).check.subarray(16))
  const content = function* () {
    yield header
    for (let made = 0; made < SIZE; made += plain.length) yield cipher.update(plain)
  }
  await pipeline(Readable.from(content()), createWriteStream(path))

  const workers = createWorkers({ file: workerFile(), size: 2 })
  const turns = watchTurns()
  const { size, seconds } = await decryptFile({ path, passwords: ['pw'], workers })
  const { longest, grown } = turns.stop()
  await workers.close()
  console.log(
    `decrypted ${formatBytes(size)} in ${seconds.toFixed(1)} s (${formatBytes(size / seconds)}/s), ` +
      `memory +${formatBytes(grown)}, the event loop was busy for ${longest.toFixed(0)} ms at most`,
  )
  expect(size).toBe(SIZE)
  expect(grown).toBeLessThan(150_000_000)
  expect(longest).toBeLessThan(50)
})
