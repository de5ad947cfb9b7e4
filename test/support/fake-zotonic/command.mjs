// Stands for Zotonic's command on a server: what it prints, and for a backup what it makes, is as docs/formats.md says.
// Arguments: the fake's folder, then the words of the command.
import { spawn, spawnSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { appendFileSync, existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { userInfo } from 'node:os'
import { basename, join } from 'node:path'

const [folder, ...words] = process.argv.slice(2)
const fake = JSON.parse(readFileSync(join(folder, 'fake.json'), 'utf8'))
const [verb, site, third] = words
const wait = (ms) => new Promise((resolve) => setTimeout(resolve, ms))
const print = (text) => process.stdout.write(text)

if (verb === 'run-the-backup') await makeBackup(site)
else {
  appendFileSync(join(folder, 'calls.log'), `${userInfo().username} ${words.join(' ')}\n`)
  await wait(fake.slowMs ?? 0)
  const refusal = fake.refuses?.[verb] ?? fake.refuses?.all
  if (refusal !== undefined) end(refusal, 1)
  if (fake.onlyAs && userInfo().username !== fake.onlyAs) end(`Zotonic node at '${fake.node}' is not running`, 1)
  run()
}

function end(message, code) {
  process.stderr.write(`${message}\n`)
  process.exit(code)
}

function run() {
  const found = fake.sites[site]
  if (verb === '-v') print('1.0.0-rc.17 [Erlang/OTP 25]\n')
  else if (verb === 'status') {
    print(`Running: '${fake.node}'\n\nSites Status: \n============================= \n`)
    print('zotonic_site_status  running\n')
    for (const [name, { state }] of Object.entries(fake.sites)) print(`${name.padEnd(20)} ${state}\n`)
    print('\n')
  } else if (verb === 'sitedir') {
    if (!found) end('escript: exception error: bad argument\n  in function  io:format/3\n', 127)
    print(`${found.siteDir}\n`)
  } else if (verb === 'siteconfig') {
    print(`Site config for ${atom(site)} at '${fake.node}':\n=====================================\n`)
    const defaults = { dbdatabase: 'zotonic', dbhost: 'localhost', dbport: 5432, dbschema: site, dbuser: 'zotonic' }
    const config = { ...defaults, dbdropschema: false, dbdriver: 'z_db_pgsql', ...found?.config }
    for (const key of Object.keys(config).sort()) print(`\n${atom(key)}: ${printed(config[key])}`)
    print('\n\n')
  } else if (verb === 'siteconfigfiles') {
    print(`Site config files for ${atom(site)} at '${fake.node}':\n`)
    if (found) print(`- ${found.siteDir}/priv/zotonic_site.config\n`)
  } else if (verb === 'config') {
    print(`\n# Zotonic config for '${fake.node}':\n# ==============================\n`)
    for (const [app, config] of Object.entries(fake.config ?? {})) {
      print(`\n${app}:`)
      for (const [key, value] of Object.entries(config)) print(`\n    ${key}: ${printed(value)}`)
    }
    print('\n\n')
  } else if (verb === 'flush') {
    if (!found) end(`RPC error to '${fake.node}':\n{'EXIT',{badarg,[]}}`, 1)
    print('ok\n')
  } else if (verb === 'startsite' || verb === 'stopsite' || verb === 'restartsite') {
    print(`${verb === 'restartsite' ? 'Restarting' : verb} site ${atom(site)} ... ${found ? 'ok' : '{error,nosite}'}\n`)
  } else if (verb === 'backup' && third === 'start') startBackup(site, found)
  else if (verb === 'backup' && third === 'list') print(`Backups for ${atom(site)}:\n`)
  else end(`Command not found: ${verb}`, 1)
}

function startBackup(name, found) {
  if (!found) end(`RPC error to '${fake.node}':\n{'EXIT',{badarg,[]}}`, 1)
  if (found.hasModule === false) return print(`Backup module is not enabled for '${atom(name)}'\n`)
  if (existsSync(join(folder, `${name}.running`))) return print(`There is already a backup running for '${atom(name)}'\n`)
  writeFileSync(join(folder, `${name}.running`), '')
  const child = spawn(process.execPath, [process.argv[1], folder, 'run-the-backup', name], { detached: true, stdio: 'ignore' })
  child.unref()
  print(`Backup started for '${atom(name)}'\n`)
}

/** As the server does: dump, configuration, media, hashes, and the index last, with the time of the start. */
async function makeBackup(name) {
  const { siteDir, filesDir, securityDir, database, pauseMs = 0, fails } = fake.sites[name]
  const backups = join(filesDir, 'backup')
  mkdirSync(backups, { recursive: true })
  const timestamp = Math.floor(Date.now() / 1000) + (fake.clockAheadSeconds ?? 0)
  const slot = `${name}-${slotOf(new Date(timestamp * 1000))}`
  try {
    const dump = ['--compress=7', '--quote-all-identifiers', '-n', database.schema, '-f', join(backups, `${slot}.sql.gz`)]
    const at = ['-h', database.host, '-p', String(database.port), '-U', database.user, '-d', database.database]
    await wait(pauseMs)
    const { status } = spawnSync(fake.pgDump, [...at, ...dump], { env: { ...process.env, PGPASSWORD: database.password } })
    while (fails && existsSync(join(folder, 'hold'))) await wait(50)
    if (status !== 0 || fails) throw new Error('dump')
    const config = join(folder, `config-${name}`)
    mkdirSync(join(config, 'config'), { recursive: true })
    spawnSync('cp', ['-rL', join(siteDir, 'priv'), join(config, 'config', 'priv')])
    spawnSync('cp', ['-rL', securityDir, join(config, 'security')])
    spawnSync('tar', ['-C', folder, '-czf', join(backups, `config-${slot}.tar.gz`), basename(config)])
    rmSync(config, { recursive: true })
    await wait(pauseMs)
    spawnSync('tar', ['-C', join(filesDir, 'archive'), '-c', '-z', '-f', join(backups, `${slot}.tar.gz`), '.'])
    await wait(pauseMs)
    while (existsSync(join(folder, 'hold'))) await wait(50)
    changeIndex(backups, (index) => {
      index[slot] = {
        timestamp,
        database: `${slot}.sql.gz`,
        database_hash: hash(join(backups, `${slot}.sql.gz`)),
        config_files: `config-${slot}.tar.gz`,
        config_files_hash: hash(join(backups, `config-${slot}.tar.gz`)),
        files: `${slot}.tar.gz`,
        files_hash: hash(join(backups, `${slot}.tar.gz`)),
        is_filestore_uploaded: false,
        is_encrypted: false,
      }
    })
  } catch {
    changeIndex(backups, (index) => {
      delete index[slot]
    })
    for (const file of [`${slot}.sql.gz`, `config-${slot}.tar.gz`, `${slot}.tar.gz`]) rmSync(join(backups, file), { force: true })
  } finally {
    rmSync(join(folder, `${name}.running`), { force: true })
  }
}

function changeIndex(backups, change) {
  const file = join(backups, 'backup.json')
  const index = existsSync(file) ? JSON.parse(readFileSync(file, 'utf8')) : {}
  change(index)
  writeFileSync(`${file}.tmp`, JSON.stringify(index))
  renameSync(`${file}.tmp`, file)
}

function slotOf(date) {
  if (date.getUTCDay() !== 0) return String(date.getUTCDay())
  return `w${Math.floor((719528 + Math.floor(date.getTime() / 86_400_000)) / 7) % 5}`
}

function hash(file) {
  return createHash('sha256').update(readFileSync(file)).digest('hex')
}

function atom(name) {
  return /^[a-z][\w@]*$/.test(name) ? name : `'${name}'`
}

/** As the command prints values: texts as they are, lists and maps below, anything else as a term below a `>`. */
function printed(value) {
  if (Array.isArray(value)) return value.map((item) => `\n      - ${item}`).join('')
  if (value !== null && typeof value === 'object') {
    if ('term' in value) return `> \n      ${value.term}`
    return Object.entries(value)
      .map(([key, inner]) => `\n      ${atom(key)}: ${inner}`)
      .join('')
  }
  return String(value)
}
