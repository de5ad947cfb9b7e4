import { describe, expect, it } from 'vitest'
import { readTarMessages } from '#engine/features/backup/remote/tar-messages.ts'

describe('readTarMessages', () => {
  it('tells files that could not be taken from what stops an archive as a whole', () => {
    const said = [
      'tar: ./2026/a.jpg: file changed as we read it',
      'tar: ./2026/b: c.jpg: File removed before we read it',
      'tar: ./2026/d.jpg: Cannot open: Permission denied',
      'tar: ./2026/e.jpg: Cannot stat: No such file or directory',
      'tar: ./2026/socket: socket ignored',
      'tar: ./2026/f.jpg: File shrank by 10 bytes; padding with zeros',
      'tar: Exiting with failure status due to previous errors',
      '',
    ]
    const { problems, others } = readTarMessages(said.join('\n'))
    expect(problems.map(({ path, code }) => `${path} ${code}`)).toEqual([
      '2026/a.jpg changed',
      '2026/b: c.jpg vanished',
      '2026/d.jpg unreadable',
      '2026/e.jpg vanished',
      '2026/socket special-file',
      '2026/f.jpg changed',
    ])
    expect(others).toEqual([])
    expect(
      readTarMessages('tar: -: Wrote only 4096 of 10240 bytes\ntar: Error is not recoverable: exiting now').others,
    ).toHaveLength(2)
  })
})
