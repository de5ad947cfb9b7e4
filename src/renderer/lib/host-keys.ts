import type { HostKey } from '#shared/contract/servers.ts'

/** The accepted key that a refusal is about, and the one that was shown instead; null: the refusal is about something else. */
export function changedKeyIn(text: string, accepted: readonly HostKey[]): { known: HostKey; shown: string } | null {
  const shown: string[] = text.match(/SHA256:[A-Za-z0-9+/]{20,}/g) ?? []
  const known = accepted.find(({ fingerprint }) => shown.includes(fingerprint))
  const other = shown.find((fingerprint) => fingerprint !== known?.fingerprint)
  return known && other !== undefined ? { known, shown: other } : null
}

/** `ssh-ed25519` is kept in `ssh_host_ed25519_key`. */
export function hostKeyFileWord(type: string): string {
  if (type.includes('ecdsa')) return 'ecdsa'
  return type.includes('rsa') ? 'rsa' : type.replace(/^ssh-/, '')
}
