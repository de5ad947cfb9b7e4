import type { ReactNode } from 'react'
import classes from './page.module.css'

/** A page: header with title and actions, then its body. */
export function Page(props: {
  title: ReactNode
  subtitle?: ReactNode
  actions?: ReactNode
  children: ReactNode
  footer?: ReactNode
}) {
  return (
    <main className={classes.page}>
      <header className={classes.header}>
        <div className={classes.heading}>
          <h1 className={classes.title}>{props.title}</h1>
          {props.subtitle !== undefined && <span className={classes.subtitle}>{props.subtitle}</span>}
        </div>
        <div className={classes.actions}>{props.actions}</div>
      </header>
      {props.children}
      {props.footer !== undefined && <footer className={classes.footer}>{props.footer}</footer>}
    </main>
  )
}

/** `site · Page`; the site's name goes away in a narrow window. */
export function SiteTitle({ site, page }: { site: string; page: string }) {
  return (
    <>
      <span className={classes.site}>
        {site}
        <i> · </i>
      </span>
      {page}
    </>
  )
}

/** One row under the header: filters left, field right. */
export function ToolRow({ children, right }: { children: ReactNode; right?: ReactNode }) {
  return (
    <div className={classes.tools}>
      {children}
      {right !== undefined && <div className={classes.toolsRight}>{right}</div>}
    </div>
  )
}

/** The part of a page that scrolls. */
export function PageBody({ children, narrow = false }: { children: ReactNode; narrow?: boolean }) {
  return (
    <div className={classes.body}>
      <div className={narrow ? classes.narrow : undefined}>{children}</div>
    </div>
  )
}

export function Section({ title, aside, children }: { title: string; aside?: ReactNode; children: ReactNode }) {
  return (
    <section className={classes.section}>
      <div className={classes.sectionHead}>
        <h2>{title}</h2>
        {aside !== undefined && <span>{aside}</span>}
      </div>
      {children}
    </section>
  )
}
