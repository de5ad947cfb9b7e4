import { availableParallelism } from 'node:os'
import { MessageChannelMain, type MessagePortMain, type UtilityProcess, utilityProcess } from 'electron'
import { type FromEnginePrivate, fromEnginePrivateSchema, type ToEngine, type ToEnginePrivate } from '#shared/contract/host.ts'
import type { Confirmation } from '#shared/model/plan.ts'
import type { BackgroundPreferences } from './background.ts'
import { answerKeyring } from './keyring.ts'
import type { Notice } from './notices.ts'
import { places } from './places.ts'
import type { Theme } from './theme.ts'

const STOP_LIMIT_MS = 15_000
const RESTART_MS = 300
/** This many ends within a minute are no accident. */
const HOPELESS = 5

/** The engine's utility process: started again when it dies, so that a crash fails jobs, not the window. */
export interface EngineProcess {
  readonly isRunning: boolean
  connectWindow(port: MessagePortMain): void
  /** Asks it to cancel its jobs and end; ends it after 15 s. */
  stop(): Promise<void>
}

export interface EngineProcessOptions {
  home: string
  version: string
  /** Asked once the process is on its way: a keyring may take its time. */
  keyringAvailable(): boolean
  confirm(confirmation: Confirmation): Promise<boolean>
  onTheme(theme: Theme): void
  onBackground(preferences: BackgroundPreferences): void
  /** How the nights stand, in one line. */
  onNights(text: string): void
  onNotice(notice: Notice): void
  onSites(names: string[]): void
  onStarted(): void
  onGone(): void
  onHopeless(lastWords: string): void
}

export function createEngineProcess(options: EngineProcessOptions): EngineProcess {
  let child: UtilityProcess | null = null
  let shellPort: MessagePortMain | null = null
  let stopping: (() => void) | null = null
  let stopped = false
  let running = false
  let lastWords = ''
  const ends: number[] = []

  const send = (message: ToEnginePrivate) => shellPort?.postMessage(message)

  function start(): void {
    const started = utilityProcess.fork(places.engine, [], {
      serviceName: 'Backup Desk engine',
      stdio: ['ignore', 'inherit', 'pipe'],
      env: { ...process.env, UV_THREADPOOL_SIZE: String(availableParallelism() + 4) },
    })
    child = started
    started.stderr?.on('data', (text: Buffer) => {
      lastWords = (lastWords + text.toString('utf8')).slice(-2000)
      process.stderr.write(text)
    })
    started.once('exit', () => {
      if (child === started) ended()
    })
    const { port1, port2 } = new MessageChannelMain()
    shellPort = port1
    port1.on('message', ({ data }) => {
      const message = fromEnginePrivateSchema.safeParse(data)
      if (message.success) receive(message.data)
      else console.error('The engine sent a message that the shell does not know.')
    })
    port1.start()
    started.postMessage({ type: 'start', homePath: options.home, version: options.version } satisfies ToEngine, [port2])
    send({ type: 'keyring-state', available: options.keyringAvailable() })
    running = true
    options.onStarted()
  }

  function receive(message: FromEnginePrivate): void {
    if (message.type === 'confirm') {
      const { confirmation } = message
      options
        .confirm(confirmation)
        // a window that could not be shown confirms nothing
        .catch(() => false)
        .then((accepted) => send({ type: 'confirm-answer', id: confirmation.id, accepted }))
    } else if (message.type === 'keyring-wrap' || message.type === 'keyring-unwrap') {
      send(answerKeyring(message))
    } else if (message.type === 'theme') {
      options.onTheme(message.theme)
    } else if (message.type === 'background') {
      options.onBackground(message)
    } else if (message.type === 'nights') {
      options.onNights(message.text)
    } else if (message.type === 'notice') {
      options.onNotice(message)
    } else if (message.type === 'sites') {
      options.onSites(message.names)
    } else if (message.type === 'stopped') {
      stopping?.()
    }
  }

  function ended(): void {
    child = null
    running = false
    shellPort?.close()
    shellPort = null
    if (stopped) {
      stopping?.()
      return
    }
    options.onGone()
    ends.push(Date.now())
    if (ends.filter((at) => at > Date.now() - 60_000).length >= HOPELESS) options.onHopeless(lastWords)
    else setTimeout(start, RESTART_MS)
  }

  start()
  return {
    get isRunning() {
      return running
    },
    connectWindow(port) {
      child?.postMessage({ type: 'window-port' } satisfies ToEngine, [port])
    },
    stop() {
      stopped = true
      return new Promise((resolve) => {
        const done = () => {
          clearTimeout(limit)
          child?.kill()
          resolve()
        }
        const limit = setTimeout(done, STOP_LIMIT_MS)
        stopping = done
        if (child) send({ type: 'shut-down' })
        else done()
      })
    },
  }
}
