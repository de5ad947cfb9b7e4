import { Button } from '@mantine/core'
import { IconAlertCircle, IconAlertTriangle, IconCircleCheck, IconInfoCircle } from '@tabler/icons-react'
import { type ReactNode, useEffect, useState } from 'react'
import type { AppErrorData } from '#shared/errors.ts'
import { useUi } from '../stores/ui.ts'
import { icon16 } from './icons.tsx'
import classes from './states.module.css'

/** What happened, what stays intact, what to do; one button at most. */
export function ErrorBox(props: {
  error: Pick<AppErrorData, 'code' | 'message' | 'hint'>
  title?: string
  action?: ReactNode
  onRetry?: () => void
}) {
  const { error, onRetry } = props
  const locked = error.code === 'secrets-locked'
  const unlock = async () => {
    if (await useUi.getState().askUnlock(error.message)) onRetry?.()
  }
  return (
    <div className={classes.bad} role="alert">
      <IconAlertCircle {...icon16} className={classes.icon} />
      <div className={classes.text} data-selectable>
        {props.title !== undefined && <b>{props.title} </b>}
        <span>{error.message}</span>
        {error.hint !== '' && <p className={classes.hint}>{error.hint}</p>}
        <div className={classes.actions}>
          {locked ? (
            <Button data-size="small" onClick={unlock}>
              Unlock…
            </Button>
          ) : (
            (props.action ??
            (onRetry && (
              <Button data-size="small" onClick={onRetry}>
                Try again
              </Button>
            )))
          )}
        </div>
      </div>
    </div>
  )
}

export function Notice({ tone, title, children }: { tone: 'warn' | 'info' | 'ok'; title?: string; children: ReactNode }) {
  const Icon = tone === 'warn' ? IconAlertTriangle : tone === 'ok' ? IconCircleCheck : IconInfoCircle
  return (
    <div className={classes[tone]} role="note">
      <Icon {...icon16} className={classes.icon} />
      <div className={classes.text} data-selectable>
        {title !== undefined && <b>{title} </b>}
        {children}
      </div>
    </div>
  )
}

/** One sentence and one or two ways on. */
export function Empty({ title, text, children }: { title: string; text?: string; children?: ReactNode }) {
  return (
    <div className={classes.empty}>
      <h2>{title}</h2>
      {text !== undefined && <p>{text}</p>}
      {children !== undefined && <div className={classes.emptyActions}>{children}</div>}
    </div>
  )
}

/** Rows in true height, after 300 ms. */
export function SkeletonRows({ rows, height, label }: { rows: number; height: number; label: string }) {
  const [shown, setShown] = useState(false)
  useEffect(() => {
    const timer = setTimeout(() => setShown(true), 300)
    return () => clearTimeout(timer)
  }, [])
  return (
    <div role="status" aria-label={label} className={classes.skeletons}>
      {shown &&
        Array.from({ length: rows }, (_, index) => (
          <div key={`row-${String(index)}`} className={classes.skeletonRow} style={{ height }}>
            <i style={{ width: `${140 + ((index * 37) % 90)}px` }} />
            <i style={{ width: `${90 + ((index * 53) % 60)}px` }} />
          </div>
        ))}
    </div>
  )
}
