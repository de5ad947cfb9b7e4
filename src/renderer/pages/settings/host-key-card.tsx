import { Button } from '@mantine/core'
import { IconFingerprint, IconShieldX } from '@tabler/icons-react'
import { useState } from 'react'
import type { HostKey } from '#shared/contract/servers.ts'
import type { AppError } from '#shared/errors.ts'
import { readError } from '../../bridge.ts'
import { icon16 } from '../../components/icons.tsx'
import { CommandLine } from '../../components/kbd.tsx'
import { ErrorBox } from '../../components/states.tsx'
import { hostKeyFileWord } from '../../lib/host-keys.ts'
import { callUnlocking } from '../../queries.ts'
import classes from './host-key-card.module.css'

/** The key of a server that is not known yet: the operator compares it before anything is sent there. */
export function HostKeyCard({ hostKey, onAccepted }: { hostKey: HostKey; onAccepted(): void }) {
  const { host, port, type, fingerprint } = hostKey
  const { busy, error, run } = useAction(async () => {
    await callUnlocking('hosts.accept', { host, port, fingerprint })
    onAccepted()
  })
  return (
    <section className={classes.card} data-tone="acc" aria-label="Key of an unknown server">
      <IconFingerprint {...icon16} />
      <div>
        <b>
          {host}:{port} is not known yet.
        </b>
        <p>It showed this {keyWord(type)} key. Nothing was sent to it.</p>
        <code className={classes.fingerprint} data-selectable>
          {fingerprint}
        </code>
        <p>Compare it with what ssh-keygen -lf prints on the server:</p>
        <p className={classes.command}>
          <CommandLine command={`ssh-keygen -lf /etc/ssh/ssh_host_${hostKeyFileWord(type)}_key.pub`} />
        </p>
        {error && <ErrorBox error={error} />}
        <Button data-size="small" loading={busy} aria-label={`Accept the key of ${host}`} onClick={run}>
          Accept
        </Button>
      </div>
    </section>
  )
}

/** A server whose key is another one than was accepted: refused, whatever the reason; only the old key can be forgotten. */
export function ChangedKeyCard(props: { known: HostKey; shown: string; onForgotten(): void }) {
  const { known, shown } = props
  const { busy, error, run } = useAction(async () => {
    const { forgotten } = await callUnlocking('hosts.forget', { host: known.host, port: known.port })
    if (forgotten) props.onForgotten()
  })
  return (
    <section className={classes.card} data-tone="bad" aria-label="Changed key of a server">
      <IconShieldX {...icon16} />
      <div>
        <b>
          {known.host}:{known.port} showed another key than was accepted.
        </b>
        <p>Somebody may be in between, or the server was set up anew. Nothing was sent to it.</p>
        <dl>
          <dt>Accepted</dt>
          <dd>
            <code data-selectable>{known.fingerprint}</code>
          </dd>
          <dt>Shown now</dt>
          <dd>
            <code data-selectable>{shown}</code>
          </dd>
        </dl>
        <p>Find out first why it changed. The next test shows the new key, to be compared and accepted.</p>
        {error && <ErrorBox error={error} />}
        <Button data-size="small" variant="danger" loading={busy} onClick={run}>
          Forget the old key…
        </Button>
      </div>
    </section>
  )
}

function keyWord(type: string): string {
  return hostKeyFileWord(type).toUpperCase()
}

function useAction(action: () => Promise<void>) {
  const [busy, setBusy] = useState(false)
  const [error, setError] = useState<AppError | null>(null)
  const run = async () => {
    setBusy(true)
    setError(null)
    try {
      await action()
    } catch (thrown) {
      setError(readError(thrown))
    }
    setBusy(false)
  }
  return { busy, error, run: () => void run() }
}
