import { afterEach, expect, it, vi } from 'vitest'
import type { EngineContext } from '#engine/foundation/context.ts'
import { PLAN_LIFE_MS, PlanShelf } from '#engine/foundation/plans/plan-shelf.ts'
import type { Confirmation, PlanCheck } from '#shared/model/plan.ts'
import { codeOf } from '#test/support/repository-contract.ts'

afterEach(() => {
  vi.useRealTimers()
})

it('lets no plan run that grew too old while its confirmation was waited for', async () => {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() })
  const shelf = new PlanShelf<{
    plan: { id: string; expiresAt: string; runnable: boolean; checks: PlanCheck[] }
    isUsed: boolean
  }>()
  let answersAfterMs = PLAN_LIFE_MS
  const context = {
    home: {} as EngineContext['home'],
    async confirm() {
      vi.setSystemTime(Date.now() + answersAfterMs)
      return true
    },
  }
  const keep = (id: string) =>
    shelf.keep(context, {
      plan: { id, expiresAt: new Date(Date.now() + PLAN_LIFE_MS).toISOString(), runnable: true, checks: [] },
      isUsed: false,
    })
  const confirmation = () => ({}) as Confirmation
  keep('slow')
  expect(await codeOf(shelf.confirmed(context, 'slow', confirmation))).toBe('plan-expired')
  expect(await codeOf(shelf.confirmed(context, 'slow', confirmation))).toBe('plan-expired')
  answersAfterMs = 1000
  keep('quick')
  expect((await shelf.confirmed(context, 'quick', confirmation))?.plan.id).toBe('quick')
  expect(await codeOf(shelf.confirmed(context, 'quick', confirmation))).toBe('plan-used')
})
