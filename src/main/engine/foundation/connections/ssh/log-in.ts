import { stat } from 'node:fs/promises'
import type { AnyAuthMethod, AuthenticationType, ConnectConfig, NextAuthHandler, ParsedKey } from 'ssh2'
import { AppError, toAppError } from '#shared/errors.ts'
import type { SshSecrets } from '#shared/model/site.ts'
import type { Workers } from '../../workers.ts'
import { openAgent } from './agent.ts'
import type { Destination } from './destination.ts'
import { readPrivateKey } from './private-key.ts'

/** One thing to log in with. */
interface Attempt {
  /** For people: `the key ~/.ssh/id_ed25519`. */
  name: string
  method: AuthenticationType
  auth: AnyAuthMethod
}

/** A log-in under way: what ssh2 asks for, and what became of it. */
export interface LogIn {
  readonly handler: NonNullable<ConnectConfig['authHandler']>
  /** What was handed to the server so far. */
  readonly tried: readonly string[]
  /** The methods that the server said it takes. */
  readonly offered: readonly string[]
  /** Why something that could have been tried was not, for people. */
  readonly remarks: readonly string[]
  /** `key-unreadable`, `key-passphrase` of the key file that was named; null: none. */
  readonly problem: AppError | null
}

/**
 * Logs in with, in order: a key file that was named, the agent, other key files, the stored password. Nothing of that is
 * touched before the server has shown the right host key.
 */
export function logInTo(to: Destination, secrets: SshSecrets, workers: Workers): LogIn {
  const username = to.user
  const tried: string[] = []
  const remarks: string[] = []
  let offered: readonly string[] = []
  let problem: AppError | null = null
  let attempts: readonly Attempt[] | null = null
  let left: Attempt[] = []
  let last: Attempt | null = null
  const handler: LogIn['handler'] = (methods, partialSuccess, next) => {
    if (attempts === null) {
      collectAttempts(to, secrets, workers, remarks)
        .then((found) => {
          attempts = found
          left = [...found]
          // says which methods there are
          next({ type: 'none', username })
        })
        .catch((error) => {
          problem = toAppError(error)
          giveUp(next)
        })
      return
    }
    const open: readonly string[] | null = methods
    if (open !== null) offered = open
    // the server wants a second proof: all but the one that was just taken may serve
    if (partialSuccess === true) left = attempts.filter((attempt) => attempt !== last)
    const at = left.findIndex(({ method }) => open === null || open.includes(method))
    const attempt = left[at]
    if (!attempt) return giveUp(next)
    left.splice(at, 1)
    last = attempt
    if (!tried.includes(attempt.name)) tried.push(attempt.name)
    next(attempt.auth)
  }
  return {
    handler,
    tried,
    remarks,
    get offered() {
      return offered
    },
    get problem() {
      return problem
    },
  }
}

/** ssh2's documentation has it, its types don't. */
function giveUp(next: NextAuthHandler): void {
  next(false as never)
}

async function collectAttempts(to: Destination, secrets: SshSecrets, workers: Workers, remarks: string[]): Promise<Attempt[]> {
  const attempts: Attempt[] = []
  const { auth, user } = to
  if (to.keyFile !== null && (auth === 'auto' || auth === 'key')) {
    attempts.push(keyAttempt(user, to.keyFile, await readPrivateKey(to.keyFile, secrets.passphrase, workers)))
  }
  if (auth === 'auto' || auth === 'agent') {
    const files = to.keyFile === null ? to.identityFiles : [to.keyFile, ...to.identityFiles]
    const agent = await openAgent(to.agent, files, to.isIdentitiesOnly)
    if (typeof agent === 'string') remarks.push(agent)
    else attempts.push({ name: 'the keys of the SSH agent', method: 'publickey', auth: { type: 'agent', username: user, agent } })
  }
  if (auth === 'auto' || (auth === 'key' && to.keyFile === null)) {
    for (const file of to.identityFiles) {
      if (file === to.keyFile || !(await isThere(file))) continue
      try {
        attempts.push(keyAttempt(user, file, await readPrivateKey(file, secrets.passphrase, workers)))
      } catch (error) {
        if (!(error instanceof AppError)) throw error
        // nobody asked for this one by name: the others may do
        remarks.push(error.message.replace(/\.$/, ''))
      }
    }
    if (auth === 'key' && attempts.length === 0 && remarks.length === 0) remarks.push('no key file was found in ~/.ssh')
  }
  if (auth === 'auto' || auth === 'password') {
    if (secrets.password) attempts.push(...passwordAttempts(user, secrets.password))
    else if (auth === 'password') remarks.push('no password is stored')
  }
  return attempts
}

function keyAttempt(username: string, file: string, key: ParsedKey): Attempt {
  return { name: `the key ${file}`, method: 'publickey', auth: { type: 'publickey', username, key } }
}

function passwordAttempts(username: string, password: string): Attempt[] {
  const name = 'the stored password'
  let isAnswered = false
  return [
    { name, method: 'password', auth: { type: 'password', username, password } },
    {
      name,
      method: 'keyboard-interactive',
      auth: {
        type: 'keyboard-interactive',
        username,
        prompt(_title, _instructions, _language, prompts, finish) {
          // one hidden answer is the password; anything else nobody is here to give
          const [only] = prompts
          const isForPassword = prompts.length === 1 && only?.echo !== true && !isAnswered
          if (isForPassword) isAnswered = true
          finish(isForPassword ? [password] : prompts.map(() => ''))
        },
      },
    },
  ]
}

async function isThere(file: string): Promise<boolean> {
  return (await stat(file).catch(() => null)) !== null
}
