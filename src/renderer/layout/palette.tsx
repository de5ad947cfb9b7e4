import { Modal } from '@mantine/core'
import { IconSearch } from '@tabler/icons-react'
import { type KeyboardEvent, useEffect, useRef, useState } from 'react'
import { commandsFor } from '../commands.ts'
import { icon16 } from '../components/icons.tsx'
import { Kbd } from '../components/kbd.tsx'
import { matchCommands } from '../lib/match-commands.ts'
import { useSites } from '../queries.ts'
import { useUi } from '../stores/ui.ts'
import classes from './palette.module.css'

/** Search or run: pages, sites and actions by name. */
export function Palette() {
  const open = useUi((state) => state.paletteOpen)
  const setPalette = useUi((state) => state.setPalette)
  return (
    <Modal.Root opened={open} onClose={() => setPalette(false)} size={520} padding={0} yOffset="12vh">
      <Modal.Overlay />
      <Modal.Content aria-label="Search or run">
        <Modal.Body className={classes.body}>{open && <PaletteList />}</Modal.Body>
      </Modal.Content>
    </Modal.Root>
  )
}

function PaletteList() {
  const { route, setPalette } = useUi()
  const sites = (useSites().data?.sites ?? []).map(({ site }) => site)
  const [typed, setTyped] = useState('')
  const [at, setAt] = useState(0)
  const list = useRef<HTMLDivElement>(null)
  const found = matchCommands(commandsFor(route, sites), typed)
  const chosen = Math.min(at, found.length - 1)
  useEffect(() => {
    list.current?.querySelector(`[data-index="${chosen}"]`)?.scrollIntoView({ block: 'nearest' })
  }, [chosen])
  const run = (index: number) => {
    const command = found[index]
    if (!command) return
    setPalette(false)
    command.run()
  }
  const onKeyDown = (event: KeyboardEvent) => {
    if (event.key === 'ArrowDown') setAt(Math.min(found.length - 1, chosen + 1))
    else if (event.key === 'ArrowUp') setAt(Math.max(0, chosen - 1))
    else if (event.key === 'Enter') run(chosen)
    else return
    event.preventDefault()
  }
  return (
    <>
      <div className={classes.field}>
        <IconSearch {...icon16} />
        <input
          value={typed}
          placeholder="Search or run"
          aria-label="Search or run"
          role="combobox"
          aria-expanded="true"
          aria-controls="palette-list"
          aria-activedescendant={found[chosen] ? `palette-${found[chosen].id}` : undefined}
          data-autofocus
          onChange={(event) => {
            setTyped(event.currentTarget.value)
            setAt(0)
          }}
          onKeyDown={onKeyDown}
        />
        <Kbd keys="Esc" />
      </div>
      <div ref={list} id="palette-list" role="listbox" aria-label="Commands" className={classes.list}>
        {found.length === 0 && <p className={classes.nothing}>Nothing has this name.</p>}
        {found.map((command, index) => (
          <div
            key={command.id}
            id={`palette-${command.id}`}
            role="option"
            tabIndex={-1}
            data-index={index}
            aria-selected={index === chosen}
            className={classes.option}
            onMouseMove={() => setAt(index)}
            onClick={() => run(index)}
            onKeyDown={onKeyDown}
          >
            <span>{command.title}</span>
            <i>{command.group}</i>
            {command.keys !== undefined && <Kbd keys={command.keys} />}
          </div>
        ))}
      </div>
    </>
  )
}
