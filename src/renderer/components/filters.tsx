import { TextInput } from '@mantine/core'
import { IconFilter } from '@tabler/icons-react'
import type { ReactNode } from 'react'
import classes from './filters.module.css'
import { icon14 } from './icons.tsx'
import { Kbd } from './kbd.tsx'

export interface FilterOption<V extends string> {
  value: V
  label: string
  glyph?: ReactNode
  count?: number
}

/** One of several, side by side, with counts. */
export function SegmentedFilter<V extends string>(props: {
  label: string
  options: readonly FilterOption<NoInfer<V>>[]
  value: V
  onChange(value: NoInfer<V>): void
}) {
  return (
    <fieldset className={classes.segments} aria-label={props.label}>
      {props.options.map((option) => (
        <button
          key={option.value}
          type="button"
          className={classes.segment}
          aria-pressed={option.value === props.value}
          onClick={() => props.onChange(option.value)}
        >
          {option.glyph}
          <span>{option.label}</span>
          {option.count !== undefined && <b>{option.count}</b>}
        </button>
      ))}
    </fieldset>
  )
}

/** The filter field of a page; `/` goes to it, Esc empties it. */
export function FilterField(props: { value: string; onChange(value: string): void; label: string; width?: number }) {
  return (
    <TextInput
      className={classes.filter}
      w={props.width ?? 120}
      value={props.value}
      placeholder={props.label}
      aria-label={props.label}
      data-filter-field
      leftSection={<IconFilter {...icon14} />}
      rightSection={props.value === '' ? <Kbd keys="/" /> : undefined}
      leftSectionWidth={30}
      onChange={(event) => props.onChange(event.currentTarget.value)}
      onKeyDown={(event) => {
        if (event.key !== 'Escape') return
        event.stopPropagation()
        if (props.value === '') event.currentTarget.blur()
        props.onChange('')
      }}
    />
  )
}
