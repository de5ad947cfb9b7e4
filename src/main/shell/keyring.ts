import { safeStorage } from 'electron'
import type { FromEnginePrivate, ToEnginePrivate } from '#shared/contract/host.ts'

/** True when the system has a real keyring: `basic_text` is a fixed password, which protects nothing. */
export function keyringAvailable(): boolean {
  if (!safeStorage.isEncryptionAvailable()) return false
  if (process.platform !== 'linux') return true
  return !['basic_text', 'unknown'].includes(safeStorage.getSelectedStorageBackend())
}

/** Wraps or unwraps the master key for the engine. */
export function answerKeyring(message: Extract<FromEnginePrivate, { type: 'keyring-wrap' | 'keyring-unwrap' }>): ToEnginePrivate {
  const { id } = message
  try {
    const value =
      message.type === 'keyring-wrap'
        ? safeStorage.encryptString(message.key).toString('base64')
        : safeStorage.decryptString(Buffer.from(message.wrapped, 'base64'))
    return { type: 'keyring-answer', id, ok: true, value }
  } catch {
    // the engine turns this into an error with what to do; the cause may hold key material
    return { type: 'keyring-answer', id, ok: false, value: '' }
  }
}
