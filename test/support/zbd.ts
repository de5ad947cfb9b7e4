import { type ChildProcess, spawn } from 'node:child_process'
import { existsSync } from 'node:fs'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../..', import.meta.url))
const entry = join(root, 'bin', 'zbd')

export interface ZbdRun {
  code: number | null
  stdout: string
  stderr: string
  /** The one JSON document of `--json`. */
  json: { ok: boolean; result: never; error: { code: string; message: string; hint: string; details: Record<string, never> } }
}

export interface ZbdOptions {
  home: string
  env?: Record<string, string>
  stdin?: string
  cwd?: string
}

/** Starts the built `zbd` as a person's shell would. `ZBD_COMMAND` names another program, e.g. the packaged app's. */
export function spawnZbd(args: string[], options: ZbdOptions): ChildProcess {
  if (!process.env.ZBD_COMMAND && !existsSync(join(root, 'out', 'main', 'zbd.js')))
    throw new Error('zbd is not built: npm run build')
  const [program, ...first] = process.env.ZBD_COMMAND?.split(' ') ?? [process.env.ZBD_NODE ?? process.execPath, entry]
  const env = { PATH: process.env.PATH, HOME: options.home, BACKUP_DESK_HOME: options.home, ...options.env }
  return spawn(program ?? '', [...first, ...args], { env, cwd: options.cwd ?? options.home, stdio: ['pipe', 'pipe', 'pipe'] })
}

/** Runs a command to its end. */
export function zbd(args: string[], options: ZbdOptions): Promise<ZbdRun> {
  return new Promise((resolve, reject) => {
    const child = spawnZbd(args, options)
    let stdout = ''
    let stderr = ''
    child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      stdout += text
    })
    child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      stderr += text
    })
    child.stdin?.on('error', () => {})
    child.stdin?.end(options.stdin ?? '')
    child.on('error', reject)
    child.on('close', (code) => {
      let json = null as never
      if (args.includes('--json')) {
        try {
          json = JSON.parse(stdout) as never
        } catch {
          reject(new Error(`not one JSON document:\n${stdout}\n${stderr}`))
          return
        }
      }
      resolve({ code, stdout, stderr, json })
    })
  })
}
