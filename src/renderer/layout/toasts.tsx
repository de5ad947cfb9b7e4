import { Button } from '@mantine/core'
import { IconAlertCircle, IconCheck, IconX } from '@tabler/icons-react'
import { icon16 } from '../components/icons.tsx'
import { useUi } from '../stores/ui.ts'
import classes from './toasts.module.css'

/** What ended while the operator was on another page. */
export function Toasts() {
  const { toasts, dismissToast, navigate } = useUi()
  return (
    <div className={classes.toasts} aria-live="polite">
      {toasts.map(({ id, tone, text, show }) => (
        <div key={id} className={classes.toast} data-tone={tone}>
          {tone === 'ok' ? <IconCheck {...icon16} /> : <IconAlertCircle {...icon16} />}
          <span>{text}</span>
          {show && (
            <Button
              data-size="inline"
              onClick={() => {
                navigate(show)
                dismissToast(id)
              }}
            >
              Show
            </Button>
          )}
          <button type="button" aria-label="Close" onClick={() => dismissToast(id)}>
            <IconX {...icon16} />
          </button>
        </div>
      ))}
    </div>
  )
}
