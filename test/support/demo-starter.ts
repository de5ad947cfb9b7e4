import { attachDemo, startDemo } from '#engine/features/demo/index.ts'
import { openTestContext } from './engine-context.ts'

/** Makes the demo in the home folder named, to be killed on the way. */
const { context } = await openTestContext(process.argv[2]!)
attachDemo(context)
await startDemo(context).done
