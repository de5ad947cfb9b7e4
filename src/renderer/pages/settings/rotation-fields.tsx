import { Radio } from '@mantine/core'
import type { RotationChoice } from '#shared/model/site.ts'
import type { FieldsProps } from './field.tsx'
import classes from './settings.module.css'

const CHOICES: { value: RotationChoice; label: string; text: string }[] = [
  {
    value: 'auto',
    label: 'As the server does',
    text: 'Looks at the server’s own backups, else at the vault’s, and goes on the same way.',
  },
  { value: 'server', label: 'Monday is 1', text: 'Mon = 1 … Sat = 6, Sunday = w0 … w4 in turn: five weeks back.' },
  { value: 'manual', label: 'Monday is 2', text: 'Mon = 2 … Sat = 7, Sunday = w1 … w4 in turn: four weeks back.' },
]

/** Which slot a night goes to; each slot holds one backup until its turn comes again. */
export function RotationFields({ draft, change }: FieldsProps) {
  return (
    <div className={classes.rotation}>
      <p className={classes.explain}>
        A backup takes the slot of its day (UTC) and replaces the one that was there: six nights and four or five Sundays are
        kept.
      </p>
      <Radio.Group
        value={draft.rotation}
        aria-label="Rotation"
        onChange={(value) => change({ rotation: value as RotationChoice })}
      >
        {CHOICES.map((choice) => (
          <Radio
            key={choice.value}
            value={choice.value}
            label={choice.label}
            description={choice.text}
            className={classes.radio}
          />
        ))}
      </Radio.Group>
    </div>
  )
}
