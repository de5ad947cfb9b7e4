import { IconX } from '@tabler/icons-react'
import { type ReactNode, useEffect, useRef } from 'react'
import { useNarrow } from '../lib/use-narrow.ts'
import { IconButton } from './icon-button.tsx'
import { icon16 } from './icons.tsx'
import classes from './pane.module.css'

/** What a page shows beside one another: its main part and, right of it, a pane. */
export function Columns({ children, busy }: { children: ReactNode; busy?: boolean }) {
  return (
    <div className={classes.columns} aria-busy={busy}>
      {children}
    </div>
  )
}

/** The main part of a page that has a pane: tool row and notices, then what scrolls. */
export function Main({ children }: { children: ReactNode }) {
  return <div className={classes.main}>{children}</div>
}

/** A part that scrolls by itself; `padded` for what is read, not for a table from edge to edge. */
export function Scroll({ children, padded = false }: { children: ReactNode; padded?: boolean }) {
  const region = useRef<HTMLDivElement>(null)
  // where there is nothing else to go to, the keyboard goes to the region itself, to scroll it
  useEffect(() => {
    if (!region.current) return
    if (region.current.querySelector('button, input, textarea, select, a[href], summary, [tabindex="0"]'))
      region.current.removeAttribute('tabindex')
    else region.current.tabIndex = 0
  })
  return (
    <div ref={region} className={padded ? `${classes.scroll} ${classes.read}` : classes.scroll}>
      {children}
    </div>
  )
}

/** The pane right of the main part, from header to job bar: what is known of the chosen thing, section by section. */
export function Pane(props: {
  label: string
  /** Pixels. */
  width?: number
  /** In a window of under 1000 px; default: the same. */
  narrowWidth?: number
  title?: string
  badge?: ReactNode
  second?: ReactNode
  close?: { label: string; onClose(): void }
  children: ReactNode
}) {
  const { width = 320, narrowWidth = width } = props
  const narrow = useNarrow()
  return (
    <aside className={classes.pane} style={{ width: narrow ? narrowWidth : width }} aria-label={props.label}>
      {props.title !== undefined && (
        <header className={classes.head}>
          <div className={classes.title}>
            <h2>{props.title}</h2>
            {props.badge}
          </div>
          {props.second !== undefined && <p>{props.second}</p>}
        </header>
      )}
      {props.close && (
        <span className={classes.close}>
          <CloseButton label={props.close.label} onClick={props.close.onClose} />
        </span>
      )}
      {props.children}
    </aside>
  )
}

export function PaneSection({ title, aside, children }: { title: string; aside?: ReactNode; children: ReactNode }) {
  return (
    <section>
      <h3 className={classes.sectionTitle}>
        {title} {aside !== undefined && <span>{aside}</span>}
      </h3>
      {children}
    </section>
  )
}

export function CloseButton({ label, onClick }: { label: string; onClick(): void }) {
  return (
    <IconButton label={label} onClick={onClick}>
      <IconX {...icon16} />
    </IconButton>
  )
}
