import { Button, PasswordInput, TextInput } from '@mantine/core'
import type { ReactNode } from 'react'
import { desk } from '../../bridge.ts'
import type { DraftErrors } from '../../lib/draft-checks.ts'
import { showError } from '../../lib/show-error.ts'
import type { SiteDraft } from '../../lib/site-draft.ts'
import classes from './settings.module.css'

export interface FieldsProps {
  draft: SiteDraft
  errors: DraftErrors
  change(change: Partial<SiteDraft>): void
}

type TextName = { [K in keyof SiteDraft]: string extends SiteDraft[K] ? K : never }[keyof SiteDraft]

interface TextProps {
  form: FieldsProps
  field: TextName
  label: string
  hint?: ReactNode
  placeholder?: string
}

export function Field(props: { label: string; hint?: ReactNode; children: ReactNode; htmlFor?: string }) {
  return (
    <div className={classes.field}>
      <label htmlFor={props.htmlFor}>{props.label}</label>
      <div>
        {props.children}
        {props.hint !== undefined && <p>{props.hint}</p>}
      </div>
    </div>
  )
}

/** One line of text. `mono` for paths and commands. */
export function TextField({ form, field, label, hint, placeholder, mono = false }: TextProps & { mono?: boolean }) {
  return (
    <Field label={label} htmlFor={field} hint={hint}>
      <TextInput
        id={field}
        className={mono ? classes.path : undefined}
        spellCheck={false}
        value={form.draft[field]}
        error={form.errors[field]}
        placeholder={placeholder}
        onChange={(event) => form.change({ [field]: event.currentTarget.value })}
      />
    </Field>
  )
}

/** A host beside its port. */
export function HostFields(props: { form: FieldsProps; port: TextName; portHint?: string; children: ReactNode }) {
  const { form, port } = props
  return (
    <div className={classes.pair}>
      {props.children}
      <TextInput
        className={classes.port}
        aria-label="Port"
        inputMode="numeric"
        placeholder={props.portHint}
        value={form.draft[port]}
        error={form.errors[port]}
        onChange={(event) => form.change({ [port]: event.currentTarget.value.replace(/\D/g, '') })}
      />
    </div>
  )
}

/** A secret that is typed and never shown again; an empty field leaves the stored one. */
export function SecretField({ form, field, label, hint, isStored }: TextProps & { isStored: boolean }) {
  return (
    <Field label={label} htmlFor={field} hint={hint}>
      <PasswordInput
        id={field}
        value={form.draft[field]}
        error={form.errors[field]}
        placeholder={isStored ? 'Stored; empty leaves it as it is' : 'None stored'}
        visibilityToggleButtonProps={{ 'aria-label': `Show the ${label.toLowerCase()}` }}
        onChange={(event) => form.change({ [field]: event.currentTarget.value })}
      />
    </Field>
  )
}

/** A folder or a file of this computer, typed or chosen in the system's own dialog. */
export function PlaceField({ form, field, label, hint, placeholder, kind }: TextProps & { kind: 'folder' | 'file' }) {
  const choose = async () => {
    const chosen =
      kind === 'folder' ? await desk.chooseFolder(label) : ((await desk.chooseFiles({ title: label, endings: [] }))[0] ?? null)
    if (chosen !== null) form.change({ [field]: chosen })
  }
  return (
    <Field label={label} htmlFor={field} hint={hint}>
      <div className={classes.pair}>
        <TextInput
          id={field}
          className={classes.path}
          spellCheck={false}
          value={form.draft[field]}
          error={form.errors[field]}
          placeholder={placeholder}
          onChange={(event) => form.change({ [field]: event.currentTarget.value })}
        />
        <Button aria-label={`Choose the ${label.toLowerCase()}`} onClick={() => void choose().catch(showError)}>
          Choose…
        </Button>
      </div>
    </Field>
  )
}
