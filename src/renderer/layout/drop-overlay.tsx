import { IconLockOpen } from '@tabler/icons-react'
import { useEffect, useState } from 'react'
import { formatPlural } from '#shared/format.ts'
import { desk } from '../bridge.ts'
import { startDecrypt } from '../lib/decrypt-start.ts'
import { showError } from '../lib/show-error.ts'
import { useDecrypt } from '../stores/decrypt.ts'
import classes from './drop-overlay.module.css'

function fileCount(event: DragEvent): number {
  const { dataTransfer } = event
  if (!dataTransfer?.types.includes('Files')) return 0
  return Math.max(1, [...dataTransfer.items].filter((item) => item.kind === 'file').length)
}

/** Files dragged over the window: says what a drop will do. The browser tells their names only at the drop. */
export function DropOverlay() {
  const [count, setCount] = useState(0)
  const out = useDecrypt((state) => state.out)
  useEffect(() => {
    let depth = 0
    const enter = (event: DragEvent) => {
      const files = fileCount(event)
      if (files === 0) return
      event.preventDefault()
      depth += 1
      setCount(files)
    }
    const over = (event: DragEvent) => {
      if (fileCount(event) === 0) return
      event.preventDefault()
      if (event.dataTransfer) event.dataTransfer.dropEffect = 'copy'
    }
    const leave = () => {
      depth = Math.max(0, depth - 1)
      if (depth === 0) setCount(0)
    }
    const drop = (event: DragEvent) => {
      event.preventDefault()
      depth = 0
      setCount(0)
      try {
        const paths = [...(event.dataTransfer?.files ?? [])].map((file) => desk.pathOfFile(file)).filter((path) => path !== '')
        startDecrypt(paths)
      } catch (error) {
        showError(error)
      }
    }
    window.addEventListener('dragenter', enter)
    window.addEventListener('dragover', over)
    window.addEventListener('dragleave', leave)
    window.addEventListener('drop', drop)
    return () => {
      window.removeEventListener('dragenter', enter)
      window.removeEventListener('dragover', over)
      window.removeEventListener('dragleave', leave)
      window.removeEventListener('drop', drop)
    }
  }, [])
  if (count === 0) return null
  return (
    <div className={classes.overlay} role="status">
      <div className={classes.frame} />
      <div className={classes.card}>
        <span className={classes.icon}>
          <IconLockOpen size={20} stroke={1.75} aria-hidden="true" />
        </span>
        <div>
          <h2>Drop to decrypt {formatPlural(count, 'file')}</h2>
          <p>{out === null ? 'Each is written next to its original.' : `They are written to ${out}.`}</p>
          <p>Stored passwords are tried first. The .enc files stay.</p>
        </div>
      </div>
    </div>
  )
}
