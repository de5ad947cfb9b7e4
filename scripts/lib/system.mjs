// What Linux has to have beside Node. Debian's names; nothing from npm in here.
import { spawnSync } from 'node:child_process'
import { existsSync } from 'node:fs'
import { giveUp, run, say } from './steps.mjs'

/** The libraries that Chromium links against. */
export const WINDOW_PACKAGES = [
  'libgtk-3-0',
  'libnss3',
  'libasound2',
  'libgbm1',
  'libatk-bridge2.0-0',
  'libcups2',
  'libxkbcommon0',
  'libxcomposite1',
  'libxdamage1',
  'libxrandr2',
  'libdrm2',
  'libpango-1.0-0',
]

/** What the tests use beyond that: a screen, fonts to draw with, the servers' PostgreSQL, sshd, certificates, an S3 server. */
export const TEST_PACKAGES = [
  ...WINDOW_PACKAGES,
  'xvfb',
  'xauth',
  'fonts-liberation',
  'postgresql-15',
  'postgresql-client-15',
  'openssh-server',
  'openssh-client',
  'openssl',
  'sudo',
  'radosgw',
  'ceph-mon',
  'ceph-osd',
]

export const isLinux = process.platform === 'linux'
export const isRoot = process.getuid?.() === 0

/** The shared libraries that a program wants and this system lacks. */
export function missingLibraries(executable) {
  if (!isLinux) return []
  const { stdout, status } = spawnSync('ldd', [executable], { encoding: 'utf8' })
  if (status !== 0 || !stdout) return []
  return [...stdout.matchAll(/^\s*(\S+) => not found/gm)].map((match) => match[1])
}

/** Those of the packages that dpkg does not have. */
export function missingPackages(packages) {
  if (!existsSync('/usr/bin/dpkg-query')) return []
  const { stdout } = spawnSync('dpkg-query', ['-l', ...packages], { encoding: 'utf8', env: { ...process.env, COLUMNS: '300' } })
  const installed = new Set([...(stdout ?? '').matchAll(/^ii\s+([^\s:]+)/gm)].map((match) => match[1]))
  return packages.filter((name) => !installed.has(name))
}

export function aptLine(packages) {
  return `sudo apt-get update && sudo apt-get install -y --no-install-recommends ${packages.join(' ')}`
}

/** Installs packages as root; as somebody else it says what to install, and ends. */
export function installPackages(packages, reason) {
  if (packages.length === 0) return
  if (!isRoot || !existsSync('/usr/bin/apt-get'))
    giveUp(reason, 'Install them once, then run this again:', `  ${aptLine(packages)}`)
  say(`Installing with apt-get: ${packages.join(' ')}`)
  const env = { ...process.env, DEBIAN_FRONTEND: 'noninteractive' }
  const options = { env, stdio: ['ignore', 'ignore', 'inherit'] }
  run('apt-get', ['update', '-q'], options)
  const code = run('apt-get', ['install', '-y', '-q', '--no-install-recommends', ...packages], options)
  if (code !== 0) giveUp(reason, 'apt-get could not install them. By hand:', `  ${aptLine(packages)}`)
}
