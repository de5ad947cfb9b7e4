import { mkdir, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { namesIn, readSshConfig } from '#engine/foundation/connections/ssh/config-file.ts'
import { resolveRoute } from '#engine/foundation/connections/ssh/destination.ts'
import { temporaryFolder } from '#test/support/home.ts'

async function homeWith(files: Record<string, string>): Promise<string> {
  const userHome = await temporaryFolder()
  await mkdir(join(userHome, '.ssh', 'more'), { recursive: true })
  for (const [name, content] of Object.entries(files)) await writeFile(join(userHome, '.ssh', name), content)
  return userHome
}

async function routeTo(host: string, files: Record<string, string>, more: { user?: string; jumps?: string[] } = {}) {
  const userHome = await homeWith(files)
  const config = await readSshConfig(userHome)
  return resolveRoute({ host, auth: 'auto', ...more }, config, { userHome, env: { KEYS: '/keys' } })
}

describe('~/.ssh/config', () => {
  it('gives the first value that fits, patterns and exclusions included', async () => {
    const config = [
      'User = first',
      'Host *.example.org !old.example.org',
      '  Port 2222 # not the usual one',
      '  User second',
      '  IdentityFile "~/.ssh/my key"',
      '  IdentityFile \x24{KEYS}/%h-%r',
      'Match host web exec "touch /tmp/never"',
      '  Port 3333',
      'Match all',
      '  HostName %h.internal',
    ].join('\n')
    const [web] = await routeTo('web.example.org', { config })
    expect(web).toMatchObject({ host: 'web.example.org.internal', port: 2222, user: 'first' })
    expect(web?.identityFiles.map((file) => file.split('/').slice(-2).join('/'))).toEqual([
      '.ssh/my key',
      'keys/web.example.org.internal-first',
    ])
    expect((await routeTo('old.example.org', { config }))[0]).toMatchObject({ port: 22 })
    expect((await routeTo('web.example.org', { config }, { user: 'mine' }))[0]?.user).toBe('mine')
  })

  it('includes other files, within the section that names them', async () => {
    const files = {
      config: 'Host a\n  Include more/*.conf\nHost *\n  User any\n',
      'more/1.conf': 'User included\nHost b\n  Port 99\n',
    }
    expect((await routeTo('a', files))[0]).toMatchObject({ user: 'included', port: 22 })
    expect((await routeTo('b', files))[0]).toMatchObject({ user: 'any', port: 22 })
    expect(namesIn(await readSshConfig(await homeWith(files)))).toEqual(['a', 'b'])
  })

  it('ends for files that include themselves and hosts that go through themselves', async () => {
    const [host] = await routeTo('a', { config: 'Include config\nHost a\n  Port 5\n' })
    expect(host?.port).toBe(5)
    const circle = 'Host a\n  ProxyJump b\nHost b\n  ProxyJump a\n'
    await expect(routeTo('a', { config: circle })).rejects.toMatchObject({ code: 'too-many-jumps' })
  })

  it('leads through jump hosts, the nearest first', async () => {
    const config = 'Host target\n  ProxyJump one,me@two:2022\nHost one\n  ProxyJump zero\n'
    const places = async (files: Record<string, string>, jumps?: string[]) =>
      (await routeTo('target', files, { user: 'u', ...(jumps ? { jumps } : {}) })).map(({ place }) => place.split('@')[1])
    expect(await places({ config })).toEqual(['zero', 'one', 'two:2022', 'target'])
    expect(await places({ config }, [])).toEqual(['target'])
    expect(await places({ config: 'Host target\n  ProxyCommand ssh -W %h:%p gate\n' })).toEqual(['gate', 'target'])
    await expect(places({ config: 'Host target\n  ProxyCommand nc %h %p\n' })).rejects.toMatchObject({ code: 'proxy-command' })
  })
})
