import type { ReactNode } from 'react'
import classes from './icon-button.module.css'

/** A small button that is an icon alone; its label is read to those who do not see it. */
export function IconButton(props: { label: string; title?: string; onClick(): void; children: ReactNode }) {
  return (
    <button type="button" className={classes.button} title={props.title} aria-label={props.label} onClick={props.onClick}>
      {props.children}
    </button>
  )
}
