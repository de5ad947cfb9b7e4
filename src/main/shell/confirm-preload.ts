import { contextBridge, ipcRenderer } from 'electron'
import type { ConfirmBridge } from '#shared/contract/confirm-bridge.ts'
import type { Confirmation } from '#shared/model/plan.ts'

const bridge: ConfirmBridge = {
  read: () => ipcRenderer.invoke('confirm:read') as Promise<Confirmation>,
  fit: (height) => ipcRenderer.send('confirm:fit', height),
  answer: (typedName) => ipcRenderer.send('confirm:answer', typedName),
}

contextBridge.exposeInMainWorld('confirmDesk', bridge)
