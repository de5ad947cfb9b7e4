import type { Proof } from '#shared/model/backup.ts'
import { type Outcome, wrongUse } from '../exit.ts'
import type { Session } from '../session.ts'
import { drillText } from './drill-text.ts'
import { REPOSITORIES_OR_ALL, repositoryOption } from './list.ts'

interface VerifyResult {
  verdict: 'verified' | 'failed' | 'unknown'
  proofs: { repository: string; name: string; timestamp: string; proof: Proof }[]
}

export async function verifyBackups(
  session: Session,
  args: { first?: string; second?: string },
  options: { folder?: string; level?: string; from?: string },
): Promise<Outcome> {
  const level = ({ 0: 0, 1: 1, 2: 2, 3: 3 } as const)[options.level as '0' | '1' | '2' | '3'] ?? null
  if (level === null) throw wrongUse(`verify: --level is 1, 2 or 3, not "${options.level}".`)
  const passwords = await session.sources.passwords()
  const { jobId } =
    options.folder === undefined
      ? await startForSite(session, args, options.from, level, passwords)
      : await session.engine.call('backups.verifyFolder', {
          folder: options.folder,
          level,
          passwords,
          ...named(folderName(args)),
        })
  const result = (await session.follow(jobId)).result as VerifyResult
  return { result: { ...result, jobId }, text: verifyText(result), problem: result.verdict !== 'verified' }
}

function startForSite(
  session: Session,
  args: { first?: string; second?: string },
  from: string | undefined,
  level: 0 | 1 | 2 | 3,
  passwords: string[],
) {
  if (args.first === undefined || args.second === undefined)
    throw wrongUse('verify: name a site and a backup, or a folder with --folder.')
  const repository = repositoryOption(from, '--from', REPOSITORIES_OR_ALL)
  return session.engine.call('backups.verify', {
    site: args.first,
    name: args.second,
    level,
    passwords,
    ...(repository ? { from: repository } : {}),
  })
}

function folderName(args: { first?: string; second?: string }): string | undefined {
  if (args.second !== undefined) throw wrongUse('verify --folder takes one backup name at most.')
  return args.first
}

function named(name: string | undefined): { name?: string } {
  return name === undefined ? {} : { name }
}

function verifyText({ proofs, verdict }: VerifyResult): string {
  const lines = proofs.flatMap(({ name, repository, proof }) => [
    `${name} in ${repository}: ${proof.verdict}, level ${Math.max(0, proof.level)}\n`,
    ...proof.parts.flatMap((part) =>
      Object.entries(part.levels)
        .filter(([, level]) => level !== null)
        .map(
          ([level, found]) =>
            `  ${part.part.padEnd(8)} ${level} ${found?.outcome.padEnd(7)} ${found?.reason ?? ''} (${part.file})\n`,
        ),
    ),
    ...(proof.drill ? [drillText(proof.drill)] : []),
  ])
  const summary = {
    verified: 'Everything verified.',
    failed: 'Not verified: something failed.',
    unknown: 'Not verified: something could not be told.',
  }[verdict]
  return `${lines.join('')}${summary}\n`
}
