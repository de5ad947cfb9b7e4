import { afterAll, beforeAll, beforeEach, onTestFinished } from 'vitest'
import type { EngineContext } from '#engine/foundation/context.ts'
import { layOutServerFolder, loadFixtureDatabase, type ServerFolder } from './backup-site.ts'
import { openTestContext } from './engine-context.ts'
import { startZotonicServer, trust, type ZotonicServer } from './fake-zotonic/zotonic-server.ts'
import { hasFixtures } from './fixtures.ts'
import { temporaryFolder } from './home.ts'
import { type Postgres15, startPostgres15 } from './postgres.ts'
import { type Sshd, type SshdOptions, startSshd, whyNoSshd } from './sshd.ts'

/** Why tests with a server can't be run here, which is printed; null: they can. */
export function whyNoServer(tests: string): string | null {
  const why = whyNoSshd() ?? (hasFixtures ? null : 'the fixtures of a real server are missing')
  if (why !== null) console.error(`SKIPPED ${tests}: ${why}`)
  return why
}

/** What a test with a stand-in for a Zotonic server has. */
export interface ZotonicStage {
  postgres: Postgres15
  server: ZotonicServer
  context: EngineContext
}

/**
 * For a `describe`: one server for all its tests, and an engine of its own for each, which knows the server's key.
 * @param use takes what each test has
 * @param options.isAdded the site is added, and the secret store open
 */
export function useZotonicServer(
  database: string,
  use: (stage: ZotonicStage) => void,
  options: { sshd?: SshdOptions; isTrusted?: boolean; isAdded?: boolean } = {},
): void {
  const { isTrusted = true, isAdded = false } = options
  let postgres: Postgres15
  let server: ZotonicServer
  beforeAll(async () => {
    postgres = await startPostgres15()
    server = await startZotonicServer(postgres, database, options.sshd)
  }, 120_000)
  afterAll(async () => {
    await server?.stop()
    await postgres?.stop()
  })
  beforeEach(async () => {
    const { context, close } = await openTestContext(await temporaryFolder())
    onTestFinished(close)
    if (isTrusted) await trust(context, server.ssh)
    if (isAdded) {
      await context.secrets.unlock('open sesame')
      await context.sites.add(server.input())
    }
    use({ postgres, server, context })
  })
}

/** What a test with a site's folders on a server, and no command there, has. */
export interface FolderStage {
  postgres: Postgres15
  sshd: Sshd
  root: string
  /** The site's folders, of this test alone. */
  server: ServerFolder
}

/**
 * For a `describe`: OpenSSH and PostgreSQL for all its tests, with the fixtures' database under a name; folders for each.
 * @param use takes what each test has
 */
export function useServerFolders(database: string, use: (stage: FolderStage) => void): void {
  let postgres: Postgres15
  let sshd: Sshd
  beforeAll(async () => {
    ;[postgres, sshd] = await Promise.all([startPostgres15(), startSshd()])
    await loadFixtureDatabase(postgres, database)
  }, 120_000)
  afterAll(async () => {
    await sshd?.stop()
    await postgres?.stop()
  })
  beforeEach(async () => {
    const root = await temporaryFolder()
    use({ postgres, sshd, root, server: await layOutServerFolder(root) })
  })
}
