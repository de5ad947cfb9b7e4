import { Button } from '@mantine/core'
import { IconCheck, IconCopy } from '@tabler/icons-react'
import { useEffect, useState } from 'react'
import { isMac } from '../bridge.ts'
import { IconButton } from './icon-button.tsx'
import { icon14 } from './icons.tsx'
import classes from './kbd.module.css'

/** A key as the operator's keyboard has it: `Mod+K` is `Ctrl K` or `⌘ K`. */
function keyText(keys: string): string {
  return keys.replace('Mod+', isMac ? '⌘ ' : 'Ctrl ')
}

export function Kbd({ keys, plain = false }: { keys: string; plain?: boolean }) {
  return <kbd className={plain ? classes.plain : classes.kbd}>{keyText(keys)}</kbd>
}

/** Copies a text; the icon says for a moment that it did. With `word` it is a button of full size that says so. */
export function CopyButton({ text, label, word }: { text: string; label: string; word?: string }) {
  const [copied, setCopied] = useState(false)
  useEffect(() => {
    if (!copied) return
    const timer = setTimeout(() => setCopied(false), 1500)
    return () => clearTimeout(timer)
  }, [copied])
  const copy = () => {
    navigator.clipboard.writeText(text).then(
      () => setCopied(true),
      () => copyBySelection(text) && setCopied(true),
    )
  }
  const icon = copied ? <IconCheck {...icon14} /> : <IconCopy {...icon14} />
  const title = copied ? 'Copied' : label
  if (word !== undefined) {
    return (
      <Button data-size="small" leftSection={icon} title={title} aria-label={label} onClick={copy}>
        {word}
      </Button>
    )
  }
  return (
    <IconButton label={label} title={title} onClick={copy}>
      {icon}
    </IconButton>
  )
}

/** Where the page may not use the clipboard interface, the copy command of the document still works. */
function copyBySelection(text: string): boolean {
  const area = document.createElement('textarea')
  area.value = text
  area.className = 'visually-hidden'
  document.body.append(area)
  area.select()
  const done = document.execCommand('copy')
  area.remove()
  return done
}

/** The same action from a terminal, ready to copy. */
export function CommandLine({ command }: { command: string }) {
  return (
    <span className={classes.command}>
      <code data-selectable>{command}</code>
      <CopyButton text={command} label="Copy the command" />
    </span>
  )
}
