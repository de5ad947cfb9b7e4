import type { EngineContext } from '#engine/foundation/context.ts'
import type { Handlers } from '#engine/router.ts'
import type { contract } from '#shared/contract/index.ts'
import { backupsProcedures } from './backups.ts'
import { decryptProcedures } from './decrypt.ts'
import { demoProcedures } from './demo.ts'
import { jobsProcedures } from './jobs.ts'
import { restoreProcedures } from './restore.ts'
import { scheduleProcedures } from './schedule.ts'
import { secretsProcedures } from './secrets.ts'
import { serversProcedures } from './servers.ts'
import { settingsProcedures } from './settings.ts'
import { sitesProcedures } from './sites.ts'
import { transferProcedures } from './transfer.ts'

/** A handler for every procedure of the contract. */
export function createHandlers(context: EngineContext): Handlers<typeof contract> {
  return {
    ...sitesProcedures(context),
    ...secretsProcedures(context),
    ...backupsProcedures(context),
    ...restoreProcedures(context),
    ...decryptProcedures(context),
    ...jobsProcedures(context),
    ...demoProcedures(context),
    ...scheduleProcedures(context),
    ...settingsProcedures(context),
    ...serversProcedures(context),
    ...transferProcedures(context),
  }
}
