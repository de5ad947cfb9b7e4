import { contextBridge, ipcRenderer, webUtils } from 'electron'
import type { ChooseFilesOptions, DeskBridge, WindowCommand } from '#shared/contract/bridge.ts'
import type { EngineEvent } from '#shared/contract/events.ts'
import type { FromEngineMessage } from '#shared/contract/wire.ts'
import type { AppErrorData } from '#shared/errors.ts'

/*
 * The bridge between the page and the engine. It runs in the top frame's isolated world; the port to the engine
 * never leaves it. The shell sends a new port when the page was loaded and when the engine was started again.
 */

interface Pending {
  resolve(output: unknown): void
  reject(error: AppErrorData): void
}

const pending = new Map<number, Pending>()
const listeners = new Set<(event: EngineEvent) => void>()
const waiting: (() => void)[] = []
const commandListeners = new Set<(command: WindowCommand) => void>()
/** Commands that came before the page listened. */
const earlyCommands: WindowCommand[] = []
let port: MessagePort | null = null
let nextId = 1

const engineRestarted: AppErrorData = {
  code: 'engine-restarted',
  message: 'The part of Backup Desk that does the work stopped and was started again. Running jobs are marked as interrupted.',
  hint: 'Try again. What was there before is as it was.',
  details: {},
}

function tell(event: EngineEvent): void {
  for (const listener of listeners) listener(event)
}

function receive(message: FromEngineMessage): void {
  if ('event' in message) {
    tell(message.event)
    return
  }
  const call = pending.get(message.id)
  pending.delete(message.id)
  if (message.ok) call?.resolve(message.output)
  else call?.reject(message.error)
}

ipcRenderer.on('desk:port', ({ ports }) => {
  const isFirst = port === null
  port?.close()
  for (const call of pending.values()) call.reject(engineRestarted)
  pending.clear()
  port = ports[0] ?? null
  if (!port) return
  port.onmessage = ({ data }) => receive(data as FromEngineMessage)
  for (const send of waiting.splice(0)) send()
  if (!isFirst) {
    tell({ type: 'sites-changed' })
    tell({ type: 'backups-changed', site: null })
  }
})

ipcRenderer.on('desk:engine-gone', () => {
  port?.close()
  port = null
  for (const call of pending.values()) call.reject(engineRestarted)
  pending.clear()
})

ipcRenderer.on('desk:command', (_event, command: WindowCommand) => {
  if (commandListeners.size === 0) earlyCommands.push(command)
  for (const listener of commandListeners) listener(command)
})

const bridge: DeskBridge = {
  invoke(name, input) {
    return new Promise((resolve, reject) => {
      const id = nextId++
      const send = () => {
        pending.set(id, { resolve: resolve as (output: unknown) => void, reject })
        port?.postMessage({ id, name, input })
      }
      if (port) send()
      else waiting.push(send)
    })
  },
  subscribe(listener) {
    listeners.add(listener)
    return () => listeners.delete(listener)
  },
  pathOfFile: (file) => webUtils.getPathForFile(file),
  chooseFiles: (options: ChooseFilesOptions) => ipcRenderer.invoke('desk:choose-files', options) as Promise<string[]>,
  chooseFolder: (title: string) => ipcRenderer.invoke('desk:choose-folder', title) as Promise<string | null>,
  onCommand(listener) {
    commandListeners.add(listener)
    for (const command of earlyCommands.splice(0)) listener(command)
    return () => commandListeners.delete(listener)
  },
  platform: process.platform,
  version: __APP_VERSION__,
}

contextBridge.exposeInMainWorld('desk', bridge)
