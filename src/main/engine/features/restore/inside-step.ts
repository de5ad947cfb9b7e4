import type { JobContext } from '#engine/foundation/jobs/types.ts'

/**
 * A job's context for work that is one of its steps: phases say what they belong to, and what would be items of its own
 * shows as the step's detail.
 */
export function insideStep(job: JobContext, step: string, title: string): JobContext {
  return {
    ...job,
    phase(name, total, unit) {
      job.phase(`${title}: ${name.charAt(0).toLowerCase()}${name.slice(1)}`, total, unit)
    },
    item(_id, { name, detail }) {
      const text = detail || name
      if (text) job.item(step, { detail: text })
    },
  }
}
