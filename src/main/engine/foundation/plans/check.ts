import { formatSome } from '#shared/format.ts'
import type { PlanCheck } from '#shared/model/plan.ts'

/** One line of a plan's checks. */
export function check(name: string, outcome: PlanCheck['outcome'], finding: string): PlanCheck {
  return { name, outcome, finding }
}

/** As many names as a check has room for. */
export function some(names: readonly string[]): string {
  return formatSome(names, 5)
}
