import { type FromEnginePrivate, type ToEnginePrivate, toEnginePrivateSchema, toEngineSchema } from '#shared/contract/host.ts'
import { type FromEngineMessage, requestSchema } from '#shared/contract/wire.ts'
import { AppError, toAppError } from '#shared/errors.ts'
import type { Confirmation } from '#shared/model/plan.ts'
import { createEngine, type Engine } from './create-engine.ts'
import { nightsLine } from './features/schedule/index.ts'
import type { Keyring } from './foundation/settings/secrets.ts'

/*
 * The utility process of the window: an engine whose client is the window's page, over a MessagePort, and whose
 * shell answers confirmations over a private one. Nothing of electron is imported; the process hands it in.
 */

interface MessagePort {
  postMessage(message: unknown): void
  on(event: 'message', listener: (event: { data: unknown; ports: MessagePort[] }) => void): unknown
  on(event: 'close', listener: () => void): unknown
  start?(): void
  close?(): void
}

const parentPort = (process as NodeJS.Process & { parentPort?: MessagePort }).parentPort
if (!parentPort) throw new Error('engine.js is the window’s engine; from a terminal use zbd')

const windows = new Set<MessagePort>()
let engine: Promise<Engine> | null = null

parentPort.on('message', ({ data, ports }) => {
  const message = toEngineSchema.parse(data)
  const port = ports[0]
  if (!port) return
  if (message.type === 'start') engine = start(message.homePath, message.version, port)
  else if (engine) serveWindow(engine, port)
})

function start(homePath: string, version: string, shellPort: MessagePort): Promise<Engine> {
  const shell = connectShell(shellPort)
  const tellPreferences = ({ context }: Engine) =>
    context.preferences.get().then(
      ({ theme, stayInTray, startAtLogin }) => {
        shell.send({ type: 'theme', theme })
        shell.send({ type: 'background', stayInTray, startAtLogin })
      },
      (error) => context.log.warn('the preferences could not be read', { error }),
    )
  const tellNights = ({ context }: Engine) =>
    nightsLine(context).then(
      (text) => shell.send({ type: 'nights', text }),
      (error) => context.log.warn('the nights could not be told to the shell', { error }),
    )
  const tellSites = ({ context }: Engine) =>
    context.sites.list().then(
      ({ sites }) => shell.send({ type: 'sites', names: sites.map(({ site }) => site.name) }),
      (error) => context.log.warn('the sites could not be told to the shell', { error }),
    )
  const starting: Promise<Engine> = createEngine({
    homePath,
    program: 'window',
    version,
    confirm: shell.confirm,
    notify: (notice) => shell.send({ type: 'notice', ...notice }),
    emit(event) {
      if (event.type === 'preferences-changed') starting.then(tellPreferences, () => {})
      if (event.type === 'schedule-changed' || event.type === 'sites-changed') starting.then(tellNights, () => {})
      if (event.type === 'sites-changed') starting.then(tellSites, () => {})
      for (const port of windows) port.postMessage({ event } satisfies FromEngineMessage)
    },
  })
  starting.then(
    (started) => {
      shell.onKeyring((keyring) => started.context.secrets.setKeyring(keyring))
      shell.onShutDown(async () => {
        await started.close()
        shell.send({ type: 'stopped' })
      })
      shell.send({ type: 'ready' })
      return Promise.all([tellPreferences(started), tellNights(started), tellSites(started)])
    },
    (error) => {
      // nothing can be logged without a home folder: the shell shows what standard error says
      console.error(`The engine did not start: ${toAppError(error).message}`)
      process.exit(1)
    },
  )
  return starting
}

/** Requests of the window are untrusted: name and input are checked by the router. */
function serveWindow(engine: Promise<Engine>, port: MessagePort): void {
  windows.add(port)
  port.on('close', () => windows.delete(port))
  port.on('message', async ({ data }) => {
    const request = requestSchema.safeParse(data)
    if (!request.success) return
    const { id, name, input } = request.data
    const answer = await engine
      .then((started) => started.callUntrusted(name, input))
      .then(
        (output): FromEngineMessage => ({ id, ok: true, output }),
        (error): FromEngineMessage => ({ id, ok: false, error: toAppError(error).toData() }),
      )
    port.postMessage(answer)
  })
  port.start?.()
}

/** The shell's side: confirmations, the keyring, the end. Its answers reach the engine only. */
function connectShell(port: MessagePort) {
  const confirmations = new Map<string, (accepted: boolean) => void>()
  const keyringCalls = new Map<number, { resolve: (value: Buffer) => void; reject: (error: AppError) => void }>()
  let nextCall = 1
  let shutDown: () => void = () => {}
  let isEnding = false
  let keyringState: (available: boolean) => void = () => {}
  let keyringAvailable = false

  const send = (message: FromEnginePrivate) => port.postMessage(message)
  const callKeyring = (message: (id: number) => FromEnginePrivate) =>
    new Promise<Buffer>((resolve, reject) => {
      const id = nextCall++
      keyringCalls.set(id, { resolve, reject })
      send(message(id))
    })
  const keyring: Keyring = {
    wrap: (key) => callKeyring((id) => ({ type: 'keyring-wrap', id, key: key.toString('base64') })),
    unwrap: (wrapped) => callKeyring((id) => ({ type: 'keyring-unwrap', id, wrapped: wrapped.toString('base64') })),
  }

  function receive(message: ToEnginePrivate): void {
    if (message.type === 'confirm-answer') {
      confirmations.get(message.id)?.(message.accepted)
      confirmations.delete(message.id)
    } else if (message.type === 'keyring-answer') {
      const call = keyringCalls.get(message.id)
      keyringCalls.delete(message.id)
      if (message.ok) call?.resolve(Buffer.from(message.value, 'base64'))
      else call?.reject(keyringError())
    } else if (message.type === 'keyring-state') {
      keyringAvailable = message.available
      keyringState(keyringAvailable)
    } else {
      isEnding = true
      shutDown()
    }
  }

  port.on('message', ({ data }) => receive(toEnginePrivateSchema.parse(data)))
  port.start?.()
  return {
    send,
    confirm: (confirmation: Confirmation) =>
      new Promise<boolean>((resolve) => {
        confirmations.set(confirmation.id, resolve)
        send({ type: 'confirm', confirmation })
      }),
    onKeyring(listener: (keyring: Keyring | null) => void) {
      keyringState = (available) => listener(available ? keyring : null)
      keyringState(keyringAvailable)
    },
    onShutDown(listener: () => void) {
      shutDown = listener
      // the window was closed while the engine was still starting
      if (isEnding) listener()
    },
  }
}

function keyringError(): AppError {
  return new AppError('keyring-failed', 'The system’s keyring did not open the store of passwords. Nothing was changed.', {
    hint: 'Unlock the keyring and try again, or open the store with its passphrase.',
  })
}
