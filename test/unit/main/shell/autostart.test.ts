import { readdir, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import { autostartEntry, autostartFile, setAutostart } from '#shell/autostart.ts'
import { temporaryFolder } from '#test/support/home.ts'

describe('start at login on Linux', () => {
  it('is an entry in the folder that desktops look into', () => {
    expect(autostartFile({ XDG_CONFIG_HOME: '/home/anna/.conf' })).toBe('/home/anna/.conf/autostart/backup-desk.desktop')
    expect(autostartFile({})).toMatch(/\/\.config\/autostart\/backup-desk\.desktop$/)
  })

  it('starts the program hidden', () => {
    const entry = autostartEntry('/opt/Backup Desk/backup-desk', null)
    expect(entry).toContain('[Desktop Entry]\nType=Application\n')
    expect(entry).toContain('\nExec="/opt/Backup Desk/backup-desk" --hidden\n')
  })

  it('keeps the home folder, and quotes as the specification asks', () => {
    const entry = autostartEntry('/opt/100%/a"b$c`d\\e', '/home/my desk')
    // a backslash is escaped twice: in the quotes, and in the value
    expect(entry).toContain(`\nExec=env "BACKUP_DESK_HOME=/home/my desk" "/opt/100%%/a\\\\"b\\\\$c\\\\\`d\\\\\\\\e" --hidden\n`)
    expect(() => autostartEntry('/opt/a\nExec=evil', null)).toThrow('line break')
  })

  it('is put in place whole, replaced, and taken away', async () => {
    const folder = join(await temporaryFolder(), 'autostart')
    const file = join(folder, 'backup-desk.desktop')
    await setAutostart(file, 'one')
    await setAutostart(file, 'two')
    expect(await readFile(file, 'utf8')).toBe('two')
    expect(await readdir(folder)).toEqual(['backup-desk.desktop'])
    await setAutostart(file, null)
    await setAutostart(file, null)
    expect(await readdir(folder)).toEqual([])
  })
})
