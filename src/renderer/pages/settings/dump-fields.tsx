import { Radio, Select } from '@mantine/core'
import type { DumpEngine } from '#shared/model/site.ts'
import { Field, type FieldsProps } from './field.tsx'
import classes from './settings.module.css'

const ENGINES: { value: DumpEngine; label: string; text: string }[] = [
  {
    value: 'auto',
    label: 'Chosen for each backup',
    text: 'Built-in; pg_dump only for a schema that holds what the built-in engine refuses, if a fitting one is on this computer.',
  },
  {
    value: 'built-in',
    label: 'Built-in',
    text: 'Needs nothing installed. Refuses, by name, what it cannot dump whole.',
  },
  {
    value: 'pg_dump',
    label: 'pg_dump',
    text: 'PostgreSQL’s own tool on this computer, not older than the server. Without one no backup is made.',
  },
]

const ON_SERVER: (typeof ENGINES)[number] = {
  value: 'server',
  label: 'pg_dump on the server',
  text: 'Runs there and is streamed here over SSH, encrypted on the way; it fits the server by nature.',
}

const LEVELS = ['1', '2', '3', '4', '5', '6', '7', '8', '9'].map((value) => ({
  value,
  label: { '1': '1, quickest', '7': '7, as the server does', '9': '9, smallest' }[value] ?? value,
}))

/** What writes the database's dump, and how small. */
export function DumpFields({ draft, change }: FieldsProps) {
  return (
    <div className={classes.rotation}>
      <p className={classes.explain}>
        Both engines write the same: one moment of the database, as a script that Zotonic and psql read. The job says which was
        used and why.
      </p>
      <Radio.Group
        value={draft.dumpEngine}
        aria-label="Dump engine"
        onChange={(value) => change({ dumpEngine: value as DumpEngine })}
      >
        {[...ENGINES, ...(draft.server === 'ssh' ? [ON_SERVER] : [])].map((engine) => (
          <Radio
            key={engine.value}
            value={engine.value}
            label={engine.label}
            description={engine.text}
            className={classes.radio}
          />
        ))}
      </Radio.Group>
      <div className={classes.compression}>
        <Field
          label="Compression"
          htmlFor="compression"
          hint="gzip, on all cores. A higher level is slower and a little smaller."
        >
          <Select
            id="compression"
            allowDeselect={false}
            value={draft.compression}
            data={LEVELS}
            onChange={(compression) => compression !== null && change({ compression })}
          />
        </Field>
      </div>
    </div>
  )
}
