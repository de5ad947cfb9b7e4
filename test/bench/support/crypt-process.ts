import { type ChildProcess, fork, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdir, writeFile } from 'node:fs/promises'
import { join, resolve } from 'node:path'
import { createInterface } from 'node:readline'
import { setTimeout as sleep } from 'node:timers/promises'
import { build } from 'vite'
import { nativeParts } from '../../../scripts/lib/native-parts.ts'
import type { CryptResult, CryptTask } from './crypt-child.ts'

/** A task that takes longer is stuck. */
const TIMEOUT_MS = 300_000

const root = resolve(import.meta.dirname, '../../..')
const child = join(import.meta.dirname, 'crypt-child.ts')

/** A process that encrypts and decrypts with the engine's own code, one task at a time. */
export interface CryptProcess {
  run(task: CryptTask): Promise<CryptResult>
  stop(): Promise<void>
}

/**
 * Under the Node that runs the benches, from a bundle like that of `zbd`.
 * @param folder where the bundle goes
 */
export async function nodeProcess(folder: string): Promise<CryptProcess> {
  const app = await bundle(folder)
  const process = fork(join(app, 'crypt-child.js'), [join(app, 'worker.js')])
  return {
    async run(task) {
      process.send(task)
      const [result] = (await Promise.race([
        once(process, 'message', { signal: AbortSignal.timeout(TIMEOUT_MS) }),
        ended(process),
      ])) as [CryptResult | { error: string }]
      return orThrow(result)
    },
    async stop() {
      process.kill()
      await ended(process).catch(() => {})
    },
  }
}

/** The main process: it starts a utility process as the shell starts the engine, and passes lines between it and us. */
const MAIN = `import { app, utilityProcess } from 'electron'
import { createInterface } from 'node:readline'
import { availableParallelism } from 'node:os'
app.setPath('userData', new URL('user', import.meta.url).pathname)
app.whenReady().then(() => {
  const env = { ...process.env, UV_THREADPOOL_SIZE: String(availableParallelism() + 4) }
  const child = utilityProcess.fork(new URL('crypt-child.js', import.meta.url).pathname, [new URL('worker.js', import.meta.url).pathname], { env, stdio: 'inherit' })
  child.on('message', (result) => process.stdout.write('RESULT ' + JSON.stringify(result) + '\\n'))
  child.on('exit', (code) => app.exit(code))
  createInterface({ input: process.stdin }).on('line', (line) => child.postMessage(JSON.parse(line))).on('close', () => app.exit(0))
})
`

/**
 * In a utility process of the real Electron, from a bundle like the app's. Without a screen it gets a virtual one.
 * @param folder where the bundle goes
 */
export async function electronProcess(folder: string): Promise<CryptProcess> {
  const app = await bundle(folder)
  await writeFile(join(app, 'main.js'), MAIN)
  const executable = process.env.BACKUP_DESK_ELECTRON
  if (!executable) throw new Error('BACKUP_DESK_ELECTRON names no Electron: run "npm run bench"')
  const screen = process.platform === 'linux' && !process.env.DISPLAY ? await virtualScreen() : null
  const flags = process.getuid?.() === 0 ? ['--no-sandbox'] : []
  const electron = spawn(executable, [...flags, app], {
    env: { ...process.env, ...(screen ? { DISPLAY: screen.display } : {}) },
    stdio: ['pipe', 'pipe', 'ignore'],
  })
  const lines = createInterface({ input: electron.stdout })
  return {
    async run(task) {
      electron.stdin.write(`${JSON.stringify(task)}\n`)
      for (;;) {
        const [line] = (await Promise.race([
          once(lines, 'line', { signal: AbortSignal.timeout(TIMEOUT_MS) }),
          ended(electron),
        ])) as [string]
        if (line.startsWith('RESULT '))
          return orThrow(JSON.parse(line.slice('RESULT '.length)) as CryptResult | { error: string })
      }
    },
    async stop() {
      electron.stdin.end()
      await Promise.race([ended(electron).catch(() => {}), sleep(5000)])
      electron.kill()
      screen?.stop()
    },
  }
}

/** @returns the folder with `crypt-child.js` and `worker.js` */
async function bundle(folder: string): Promise<string> {
  const app = join(folder, 'app')
  await mkdir(app)
  await writeFile(
    join(app, 'package.json'),
    JSON.stringify({ name: 'crypt-bench', version: '1.0.0', type: 'module', main: 'main.js' }),
  )
  await build({
    root,
    configFile: false,
    logLevel: 'error',
    ssr: { noExternal: true },
    build: {
      ssr: true,
      target: 'node20',
      minify: false,
      outDir: app,
      emptyOutDir: false,
      rollupOptions: {
        external: nativeParts,
        input: { 'crypt-child': child, worker: join(root, 'src/main/engine/worker.ts') },
        output: { format: 'es', entryFileNames: '[name].js' },
      },
    },
  })
  return app
}

async function virtualScreen(): Promise<{ display: string; stop(): void }> {
  const xvfb = spawn('Xvfb', ['-displayfd', '1', '-screen', '0', '800x600x24'], { stdio: ['ignore', 'pipe', 'ignore'] })
  const [number] = (await Promise.race([once(xvfb.stdout, 'data'), ended(xvfb)])) as [Buffer]
  return { display: `:${number.toString().trim()}`, stop: () => xvfb.kill() }
}

/** Rejects when a process ends before it answered. */
async function ended(process: ChildProcess): Promise<never> {
  if (process.exitCode === null && process.signalCode === null) await once(process, 'exit')
  throw new Error(`The measured process ended (${process.exitCode ?? process.signalCode}).`)
}

function orThrow(result: CryptResult | { error: string }): CryptResult {
  if ('error' in result) throw new Error(result.error)
  return result
}
