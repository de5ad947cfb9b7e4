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

it('lets no plan run of which a check failed, says which, and asks nobody', async () => {
  const shelf = new PlanShelf<{
    plan: { id: string; expiresAt: string; runnable: boolean; checks: PlanCheck[] }
    isUsed: boolean
  }>()
  let asked = 0
  const context = { home: {} as EngineContext['home'], confirm: async () => ++asked > 0 }
  const keep = (id: string, checks: PlanCheck[], runnable: boolean) =>
    shelf.keep(context, {
      plan: { id, expiresAt: new Date(Date.now() + PLAN_LIFE_MS).toISOString(), runnable, checks },
      isUsed: false,
    })
  const confirmation = () => ({}) as Confirmation
  keep('failed', [{ name: 'Space', outcome: 'failed', finding: 'The disk is full' }], false)
  await expect(shelf.confirmed(context, 'failed', confirmation)).rejects.toMatchObject({
    code: 'plan-not-runnable',
    message: 'A check of this plan failed. Space: The disk is full. Nothing was changed.',
  })
  keep('nothing to do', [{ name: 'Space', outcome: 'passed', finding: '' }], false)
  await expect(shelf.confirmed(context, 'nothing to do', confirmation)).rejects.toMatchObject({
    code: 'plan-not-runnable',
    message: 'This plan has nothing to do. Nothing was changed.',
  })
  expect(asked).toBe(0)
})
