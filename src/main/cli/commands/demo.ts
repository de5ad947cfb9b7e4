import { AppError } from '#shared/errors.ts'
import { type Outcome, wrongUse } from '../exit.ts'
import type { Session } from '../session.ts'

const TEXTS = {
  start: 'The demo site runs. See it with: zbd list demo\n',
  stop: 'The demo site is stopped. Start it again with: zbd demo start\n',
  reset: 'The demo site is as new.\n',
  remove: 'The demo site is removed.\n',
} as const

/** `zbd demo [start|stop|reset|remove]`. */
export async function runDemo(session: Session, action: string): Promise<Outcome> {
  if (!Object.hasOwn(TEXTS, action))
    throw wrongUse(`demo: "${action}" is none of start, stop, reset, remove.`, 'See zbd demo --help.')
  const verb = action as keyof typeof TEXTS
  const { jobId } = await session.engine.call(`demo.${verb}`, {})
  if (jobId === null) throw new AppError('not-confirmed', 'It was not confirmed. Nothing was changed.')
  const job = await session.follow(jobId)
  const state = await session.engine.call('demo.state', {})
  return { result: { ...(job.result as object | null), ...state, jobId }, text: TEXTS[verb] }
}
