import { backups } from './backups.ts'
import { decrypt } from './decrypt.ts'
import type { InputOf, OutputOf, ParsedInputOf } from './define.ts'
import { demo } from './demo.ts'
import { jobs } from './jobs.ts'
import { restore } from './restore.ts'
import { schedule } from './schedule.ts'
import { secrets } from './secrets.ts'
import { servers } from './servers.ts'
import { settings } from './settings.ts'
import { sites } from './sites.ts'
import { transfer } from './transfer.ts'

/** Everything that the app can do, by name. The router, the window's client and `zbd` are derived from it. */
export const contract = {
  ...sites,
  ...servers,
  ...secrets,
  ...backups,
  ...transfer,
  ...restore,
  ...schedule,
  ...decrypt,
  ...jobs,
  ...demo,
  ...settings,
}

export type Contract = typeof contract
export type ProcedureName = keyof Contract
export type ProcedureInput<N extends ProcedureName> = InputOf<Contract[N]>
export type ProcedureParsedInput<N extends ProcedureName> = ParsedInputOf<Contract[N]>
export type ProcedureOutput<N extends ProcedureName> = OutputOf<Contract[N]>

/** The contract as functions, for whoever calls it. */
export interface Client {
  call<N extends ProcedureName>(name: N, input: ProcedureInput<N>): Promise<ProcedureOutput<N>>
}
