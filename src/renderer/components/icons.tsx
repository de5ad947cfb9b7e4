import { IconBucket, IconServer, IconVault } from '@tabler/icons-react'
import type { RepositoryName } from '#shared/model/backup.ts'

/** Tabler's outline icons in our three sizes: in buttons and rows, in lines, in badges. */
export const icon16 = { size: 16, stroke: 1.75, 'aria-hidden': true } as const
export const icon14 = { size: 14, stroke: 1.75, 'aria-hidden': true } as const
export const icon12 = { size: 12, stroke: 2, 'aria-hidden': true } as const

export const REPOSITORY_ICON: Record<RepositoryName, typeof IconVault> = {
  vault: IconVault,
  server: IconServer,
  filestore: IconBucket,
}
export const REPOSITORY_LABEL: Record<RepositoryName, string> = { vault: 'Vault', server: 'Server', filestore: 'Filestore' }
