import { Button, Modal } from '@mantine/core'
import { useUi } from '../stores/ui.ts'
import classes from './unlock-dialog.module.css'

/** Asks before a page with unsaved changes is left. Staying is the default. */
export function LeaveDialog() {
  const { unsaved, leaving, leave, stay } = useUi()
  return (
    <Modal
      opened={leaving !== null && unsaved !== null}
      onClose={stay}
      title="Leave without saving?"
      size={440}
      closeButtonProps={{ 'aria-label': 'Stay here' }}
    >
      <div className={classes.form}>
        <p>Not saved: {unsaved}. Leaving forgets what was typed; what is saved stays as it is.</p>
        <div className={classes.buttons}>
          <Button variant="danger" onClick={leave}>
            Leave without saving
          </Button>
          <Button variant="filled" data-autofocus onClick={stay}>
            Stay
          </Button>
        </div>
      </div>
    </Modal>
  )
}
