import { call, desk } from '../bridge.ts'
import { useDecrypt } from '../stores/decrypt.ts'
import { navigate } from '../stores/ui.ts'
import { showError } from './show-error.ts'

/** Decrypts files as one job and shows the page that lists them. */
export async function startDecrypt(files: readonly string[], options: { out?: string; overwrite?: boolean } = {}): Promise<void> {
  if (files.length === 0) return
  navigate({ page: 'decrypt' })
  const out = options.out ?? useDecrypt.getState().out ?? undefined
  try {
    // Locked passwords are no reason to stop: the row asks for one.
    const { jobId } = await call('decrypt.start', {
      files: [...files],
      ...(out === undefined ? {} : { out }),
      overwrite: options.overwrite ?? false,
    })
    useDecrypt.getState().addJob(jobId)
  } catch (error) {
    showError(error)
  }
}

export async function chooseAndDecrypt(): Promise<void> {
  try {
    await startDecrypt(await desk.chooseFiles({ title: 'Files to decrypt', endings: ['enc'] }))
  } catch (error) {
    showError(error)
  }
}
