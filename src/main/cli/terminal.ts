import { createInterface } from 'node:readline/promises'
import { Writable } from 'node:stream'

/** What a command line program talks to; tests hand in their own. */
export interface Terminal {
  out(text: string): void
  err(text: string): void
  readonly isErrTty: boolean
  readonly canAsk: boolean
  env: NodeJS.ProcessEnv
  readStdin(): Promise<Buffer>
  /** Asks on the terminal. @param secret typed characters are not shown */
  ask(question: string, secret: boolean): Promise<string>
}

const MAX_STDIN = 1024 * 1024

export function processTerminal(): Terminal {
  return {
    out: (text) => void process.stdout.write(text),
    err: (text) => void process.stderr.write(text),
    isErrTty: process.stderr.isTTY === true,
    canAsk: process.stdin.isTTY === true && process.stderr.isTTY === true,
    env: process.env,
    async readStdin() {
      const chunks: Buffer[] = []
      let size = 0
      for await (const chunk of process.stdin) {
        size += (chunk as Buffer).length
        if (size > MAX_STDIN) throw new Error('Too much on standard input')
        chunks.push(chunk as Buffer)
      }
      return Buffer.concat(chunks)
    },
    async ask(question, secret) {
      // readline echoes to its output: for a secret that goes nowhere
      const silent = new Writable({ write: (_chunk, _encoding, done) => done() })
      const lines = createInterface({ input: process.stdin, output: secret ? silent : process.stderr, terminal: true })
      try {
        if (secret) process.stderr.write(question)
        return await lines.question(secret ? '' : question)
      } finally {
        lines.close()
        if (secret) process.stderr.write('\n')
      }
    },
  }
}
