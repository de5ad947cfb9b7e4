import { expect, it, onTestFinished } from 'vitest'
import { openFilestore } from '#engine/foundation/repository/open.ts'
import { siteSchema } from '#shared/model/site.ts'
import { openTestContext } from '#test/support/engine-context.ts'
import { temporaryFolder } from '#test/support/home.ts'

const database = { host: 'localhost', database: 'testsite', schema: 'testsite', user: 'zotonic' }
const filestore = { endpoint: 'http://127.0.0.1:1', bucket: 'backups', prefix: 'sites/a', accessKeyId: 'KEY' }

it('opens the filestore that a site names, and says what is missing', async () => {
  const secrets = { 'site/testsite/filestore-secret': 'secret' }
  const { context, close } = await openTestContext(await temporaryFolder(), { secrets })
  onTestFinished(close)
  const site = siteSchema.parse({ name: 'testsite', database, filestore })
  expect(await openFilestore(context, site)).toMatchObject({ kind: 's3', place: 's3://backups/sites/a' })
  await expect(openFilestore(context, siteSchema.parse({ name: 'testsite', database }))).rejects.toMatchObject({
    code: 'no-filestore',
  })
  await expect(openFilestore(context, siteSchema.parse({ name: 'other', database, filestore }))).rejects.toMatchObject({
    code: 'filestore-secret-missing',
  })
})
